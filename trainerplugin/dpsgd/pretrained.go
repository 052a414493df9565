package dpsgd

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sweep"
	"sweep/trainerplugin"
)

// classifierPrefix is how names of a model's last layer begin.
const classifierPrefix = "classifier/"

// LoadInit returns the weights that a trial with parameters p starts from, and
// those of layers that are not trained, nil if there are none: e's own, drawn
// from p.Seed, if p.Init is zero, and those of its file in dataDir otherwise.
// The file is read to its end, and what was read has the digest that p says.
// The error wraps [trainerplugin.ErrRefused] if the file is not there,
// is another one or does not fit; it does not if the operating system did not
// let it be read.
func LoadInit(dataDir string, p sweep.Params, e Engine) (trained, frozen []float32, err error) {
	trained, frozen = e.Init(p.Seed), freshFrozen(e, p.Seed)
	if p.Init == (sweep.Init{}) {
		return trained, frozen, nil
	}
	n := len(trained)
	weights := slices.Concat(trained, frozen)
	if err := loadFile(dataDir, p.Init, slices.Concat(e.Tensors(), frozenOf(e)), weights); err != nil {
		return nil, nil, err
	}
	copy(frozen, weights[n:])
	return weights[:n:n], frozen, nil
}

// StartOf is what [Data] brings of a trial with parameters p: the weights of its
// file, or none, where the loop draws them; and those of layers that are not
// trained. Errors are those of [LoadInit].
func StartOf(dataDir string, p sweep.Params, e Engine) (start, frozen []float32, err error) {
	if p.Init == (sweep.Init{}) {
		return nil, freshFrozen(e, p.Seed), nil
	}
	return LoadInit(dataDir, p, e)
}

// loadFile reads init's file into weights, or says why a trial cannot have it.
func loadFile(dataDir string, init sweep.Init, tensors []Tensor, weights []float32) error {
	name := filepath.FromSlash(init.File)
	if !filepath.IsLocal(name) {
		return fmt.Errorf("%w: init: %.200q is not a path within the data directory", trainerplugin.ErrRefused, init.File)
	}
	path := filepath.Join(dataDir, name)
	err := readInit(path, init, tensors, weights)
	if _, system := errors.AsType[*fs.PathError](err); system && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("init: %w", err)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: init: there is no %s; put the weights with sha256 %s there", trainerplugin.ErrRefused, path, strings.TrimPrefix(init.Digest, "sha256:"))
	}
	if err != nil {
		return fmt.Errorf("%w: init: %s: %w", trainerplugin.ErrRefused, path, err)
	}
	return nil
}

// readInit reads the file into weights. A file of another content is told
// apart before what is wrong with the content, for which there is no reason then.
func readInit(path string, init sweep.Init, tensors []Tensor, weights []float32) error {
	info, err := os.Stat(path) // before opening: a named pipe would block
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("it is no file: %v", info.Mode())
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	all := io.TeeReader(bufio.NewReaderSize(f, 1<<18), h)
	unfit := ReadWeights(all, info.Size(), tensors, omitted(init.Classifier), weights)
	if _, err := io.Copy(io.Discard, all); err != nil { // what an error left
		return err
	}
	if got := digestString(h); got != init.Digest {
		return fmt.Errorf("its digest is %s, and the trial is of %s", got, init.Digest)
	}
	return unfit
}

// omitted says which tensors of a file are not read.
func omitted(c sweep.Classifier) func(name string) bool {
	return func(name string) bool {
		return c == sweep.ResetClassifier && strings.HasPrefix(name, classifierPrefix)
	}
}

// keepWeights leaves the averaged weights in the trial's folder, and says so.
// Training has been worth it without: a full disk costs the file, not the trial.
func (l *loop) keepWeights() error {
	h := sha256.New()
	meta := map[string]string{
		"format": "pt", // what some programs look for; the numbers are the same for all
		"trial":  string(l.job.Trial), "model": l.job.Params.Model, "data": l.data.Digest, "step": fmt.Sprint(l.step),
	}
	err := writeFile(l.job.Dir, trainerplugin.WeightsFile, func(w io.Writer) error {
		tensors, weights := l.whole(l.averaged())
		return WriteWeights(io.MultiWriter(w, h), tensors, weights, meta)
	})
	text := fmt.Sprintf("averaged weights are in %s, %s", trainerplugin.WeightsFile, digestString(h))
	if err != nil {
		text = fmt.Sprintf("the averaged weights were not kept: %v", err)
	}
	return l.report(trainerplugin.Note{Step: l.step, Text: text})
}
