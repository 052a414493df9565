// Package dataset reads labelled images, divides them into what is trained on
// and what is held out, and draws augmented views of them.
//
// A data set is named as a sweep file names it:
//
//	glyphs          digits rendered from fonts; needs no file
//	mnist           IDX files in DIR/mnist
//	fashion-mnist   IDX files in DIR/fashion-mnist
//	cifar10         binary files, their archive, or images by class, in DIR/cifar10
//	cifar100        binary files or their archive in DIR/cifar100
//	folder:NAME     images by class in DIR/NAME, DIR/NAME.tar, DIR/NAME.tar.gz or DIR/NAME.tgz
//	folder:NAME@HxW the same, scaled to H by W pixels
//
// [Open] reads one of them, [Set.Split] divides its training part and names the
// result by a digest, and a [Subset] hands out normalised images.
package dataset

import (
	"fmt"
	"sync"
)

// A Set is a data set in memory, one byte per channel of a pixel. It is not
// changed once it is opened and may be used from several goroutines at once.
type Set struct {
	Name    string   // as a sweep file names it
	Classes []string // name of each label
	Source  string   // format and path that it was read from

	Height, Width, Channels int // of every image

	Train, Test Part

	// Mean and Std normalise a channel: (pixel/255 - Mean) / Std. They are
	// published constants or fixed ones, never computed from the examples
	// at hand: those are private, and a statistic of them has its price.
	Mean, Std []float64

	scaleOnce sync.Once
	scale     [][256]float32 // normalised value of each pixel value, by channel

	digestOnce sync.Once
	digest     string
}

// A Part is a run of labelled images.
type Part struct {
	Pixels []uint8  // [image][height][width][channel]
	Labels []uint16 // indices into Set.Classes
}

// Len is the number of images in p.
func (p Part) Len() int { return len(p.Labels) }

// PixelCount is the number of values in one image: Height·Width·Channels.
func (s *Set) PixelCount() int { return s.Height * s.Width * s.Channels }

// image returns the pixels of image i of p, which must be a part of s.
func (s *Set) image(p *Part, i int) []uint8 {
	n := s.PixelCount()
	return p.Pixels[i*n : (i+1)*n : (i+1)*n]
}

// table returns s.scale, computing it once.
func (s *Set) table() [][256]float32 {
	s.scaleOnce.Do(func() {
		s.scale = make([][256]float32, s.Channels)
		for c := range s.scale {
			for v := range 256 {
				s.scale[c][v] = float32((float64(v)/255 - s.Mean[c]) / s.Std[c])
			}
		}
	})
	return s.scale
}

// check reports whether s keeps the promises of its type. Readers call it
// before they let a set out.
func (s *Set) check() error {
	if s.Height < 1 || s.Width < 1 || s.Channels < 1 {
		return fmt.Errorf("data set %s: images of %dx%dx%d have no pixels", s.Name, s.Height, s.Width, s.Channels)
	}
	if len(s.Mean) != s.Channels || len(s.Std) != s.Channels {
		return fmt.Errorf("data set %s: %d means and %d standard deviations for %d channels", s.Name, len(s.Mean), len(s.Std), s.Channels)
	}
	for i, p := range []*Part{&s.Train, &s.Test} {
		name := []string{"training", "test"}[i]
		if len(p.Pixels) != p.Len()*s.PixelCount() {
			return fmt.Errorf("data set %s: %d bytes of pixels for %d %s images of %d bytes", s.Name, len(p.Pixels), p.Len(), name, s.PixelCount())
		}
		for i, l := range p.Labels {
			if int(l) >= len(s.Classes) {
				return fmt.Errorf("data set %s: %s image %d has label %d; there are %d classes", s.Name, name, i, l, len(s.Classes))
			}
		}
	}
	return nil
}
