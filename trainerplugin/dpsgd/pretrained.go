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
	"strings"

	"sweep"
	"sweep/trainerplugin"
)

// classifierPrefix is how names of a model's last layer begin.
const classifierPrefix = "classifier/"

// LoadInit returns the weights that a trial with parameters p starts from: e's
// own, drawn from p.Seed, if p.Init is zero, and those of its file in dataDir
// otherwise. The file is read to its end, and what was read has the digest that
// p says. The error wraps [trainerplugin.ErrRefused] if the file is not there,
// is another one or does not fit; it does not if the operating system did not
// let it be read.
func LoadInit(dataDir string, p sweep.Params, e Engine) ([]float32, error) {
	weights := e.Init(p.Seed)
	if p.Init == (sweep.Init{}) {
		return weights, nil
	}
	name := filepath.FromSlash(p.Init.File)
	if !filepath.IsLocal(name) {
		return nil, fmt.Errorf("%w: init: %.200q is not a path within the data directory", trainerplugin.ErrRefused, p.Init.File)
	}
	path := filepath.Join(dataDir, name)
	err := readInit(path, p.Init, e.Tensors(), weights)
	if _, system := errors.AsType[*fs.PathError](err); system && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("init: %w", err)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: init: there is no %s; put the weights with sha256 %s there", trainerplugin.ErrRefused, path, strings.TrimPrefix(p.Init.Digest, "sha256:"))
	}
	if err != nil {
		return nil, fmt.Errorf("%w: init: %s: %w", trainerplugin.ErrRefused, path, err)
	}
	return weights, nil
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
		return WriteWeights(io.MultiWriter(w, h), l.engine.Tensors(), l.averaged(), meta)
	})
	text := fmt.Sprintf("averaged weights are in %s, %s", trainerplugin.WeightsFile, digestString(h))
	if err != nil {
		text = fmt.Sprintf("the averaged weights were not kept: %v", err)
	}
	return l.report(trainerplugin.Note{Step: l.step, Text: text})
}
