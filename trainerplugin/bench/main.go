// Command bench is our side of bench.sh, which compares the CPU engine with
// others: it answers, on standard output, the commands that peers.py writes to
// its standard input, one line for each.
//
//	open MODEL HEIGHT CHANNELS CLASSES THREADS DIR   a model, with the weights it begins with as DIR/weights.safetensors
//	batch N                                          the first N images of DIR/images (float32, [height][width][channel]) and DIR/labels (a byte each)
//	step                                             one clipped sum of the batch's per-example gradients; answers seconds
//	gradients                                        every example's gradient, one after another, as DIR/gradients (float32)
package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"sweep/trainerplugin/dpsgd"
	"sweep/trainerplugin/kernel"
	"sweep/trainerplugin/model"
)

func main() {
	if err := serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

func serve(in io.Reader, out io.Writer) error {
	fmt.Fprintf(out, "%s, kernels %s\n", runtime.Version(), kernel.Path())
	var b bench
	for lines := bufio.NewScanner(in); lines.Scan(); {
		answer, err := b.do(strings.Fields(lines.Text()))
		if err != nil {
			return fmt.Errorf("%s: %w", lines.Text(), err)
		}
		fmt.Fprintln(out, answer)
	}
	return nil
}

// A bench is a model and a batch of images.
type bench struct {
	engine  *model.Engine
	dir     string
	weights []float32
	pixels  int
	images  []float32
	labels  []byte
}

func (b *bench) do(words []string) (answer string, err error) {
	switch {
	case len(words) == 7 && words[0] == "open":
		return "open", b.open(words[1:])
	case len(words) == 2 && words[0] == "batch":
		return "batch", b.batch(words[1])
	case len(words) == 1 && words[0] == "step":
		start := time.Now()
		_, err := b.engine.ClippedSum(context.Background(), b.weights, b.examples(0, len(b.labels)), 1, make([]float32, len(b.weights)))
		return fmt.Sprint(time.Since(start).Seconds()), err
	case len(words) == 1 && words[0] == "gradients":
		return "gradients", b.gradients()
	}
	return "", fmt.Errorf("no such command")
}

func (b *bench) open(words []string) (err error) {
	var height, channels, classes, threads int
	if _, err := fmt.Sscan(strings.Join(words[1:5], " "), &height, &channels, &classes, &threads); err != nil {
		return err
	}
	in := model.Input{Height: height, Width: height, Channels: channels, Classes: classes}
	if b.engine, err = model.New(words[0], in, threads); err != nil {
		return err
	}
	b.dir, b.pixels, b.weights = words[5], height*height*channels, b.engine.Init(1)
	return b.write("weights.safetensors", func(w io.Writer) error {
		return dpsgd.WriteWeights(w, b.engine.Tensors(), b.weights, nil)
	})
}

func (b *bench) batch(word string) error {
	var n int
	if _, err := fmt.Sscan(word, &n); err != nil {
		return err
	}
	images, err := os.ReadFile(filepath.Join(b.dir, "images"))
	if err != nil {
		return err
	}
	labels, err := os.ReadFile(filepath.Join(b.dir, "labels"))
	if err != nil {
		return err
	}
	if len(images) < 4*n*b.pixels || len(labels) < n {
		return fmt.Errorf("there are %d bytes of images and %d labels", len(images), len(labels))
	}
	b.images, b.labels = make([]float32, n*b.pixels), labels[:n]
	for i := range b.images {
		b.images[i] = math.Float32frombits(binary.LittleEndian.Uint32(images[4*i:]))
	}
	return nil
}

// examples are n images of the batch from the given one on.
func (b *bench) examples(first, n int) dpsgd.Batch {
	return dpsgd.Batch{Len: n, Views: 1, View: func(i, _ int, img []float32) int {
		copy(img, b.images[(first+i)*b.pixels:][:b.pixels])
		return int(b.labels[first+i])
	}}
}

// gradients writes each example's gradient g: the sum over that example alone
// is g/C where its norm is below C.
func (b *bench) gradients() error {
	const clip = 1 << 20 // C: no gradient comes near, and a power of two scales without rounding
	return b.write("gradients", func(w io.Writer) error {
		for i := range b.labels {
			sum := make([]float32, len(b.weights))
			if _, err := b.engine.ClippedSum(context.Background(), b.weights, b.examples(i, 1), clip, sum); err != nil {
				return err
			}
			for j := range sum {
				sum[j] *= clip
			}
			if err := binary.Write(w, binary.LittleEndian, sum); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *bench) write(name string, write func(io.Writer) error) error {
	f, err := os.OpenFile(filepath.Join(b.dir, name), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	buf := bufio.NewWriter(f)
	err = write(buf)
	if err == nil {
		err = buf.Flush()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}
