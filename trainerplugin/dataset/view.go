package dataset

import (
	"fmt"

	"sweep"
)

// cropPad is by how many pixels an image is mirror-padded on each side before
// it is cropped (paper, section 3).
const cropPad = 4

// viewDomain sets the words drawn for views apart from any others that might
// be drawn under the same key: "view" in ASCII.
const viewDomain = 0x76696577

// A Draw names one view of one example. The randomness of the view depends on
// these numbers alone, not on what was drawn before.
type Draw struct {
	Key     uint64 // the trial's; see sweep.Params.Seed
	Step    int    // update the view is for; 0 to 2³²-1
	Example int    // index of the example; 0 to 2³²-1
	View    int    // k, of the example's K views; 0 to 2³²-1
}

// DrawView writes a view of image into dst, [height][width][channel] and
// normalised. Both have s.PixelCount values. It allocates nothing.
//
//   - sweep.Flip mirrors left to right with probability 1/2.
//   - sweep.Crop pads the image by 4 pixels on each side, mirrored and with
//     the edge pixel repeated (numpy.pad's "symmetric"), and cuts out the
//     image's size at one of the 81 places, each as likely.
//   - sweep.CropFlip crops, then flips.
//   - "" is the image itself.
//
// The choices are the words of philox(counter, key) with counter {View,
// Example, Step, "view"} and key {low, high half of Key}: the lowest bit of word 0
// flips, words 1 and 2 choose the crop's row and column. DrawView panics on any
// other augmentation.
func (s *Set) DrawView(dst []float32, image []uint8, aug sweep.Augmentation, d Draw) {
	if aug == "" {
		s.plain(dst, image)
		return
	}
	w := philox([4]uint32{uint32(d.View), uint32(d.Example), uint32(d.Step), viewDomain},
		[2]uint32{uint32(d.Key), uint32(d.Key >> 32)})
	flip := w[0]&1 == 1
	dy, dx := below(w[1], 2*cropPad+1)-cropPad, below(w[2], 2*cropPad+1)-cropPad
	switch aug {
	case sweep.Flip:
		s.warp(dst, image, 0, 0, flip)
	case sweep.Crop:
		s.warp(dst, image, dy, dx, false)
	case sweep.CropFlip:
		s.warp(dst, image, dy, dx, flip)
	default:
		panic(fmt.Sprintf("dataset: augmentation %q; have flip, crop, crop-flip", aug))
	}
}

// plain writes image itself into dst.
func (s *Set) plain(dst []float32, image []uint8) {
	scale := s.table()
	dst = dst[:len(image)]
	if s.Channels == 1 {
		for i, v := range image {
			dst[i] = scale[0][v]
		}
		return
	}
	c := 0
	for i, v := range image {
		dst[i] = scale[c][v]
		if c++; c == len(scale) {
			c = 0
		}
	}
}

// warp writes into dst the image moved up by dy and left by dx, mirrored beyond
// its edges, and then flipped left to right if flip is set.
func (s *Set) warp(dst []float32, image []uint8, dy, dx int, flip bool) {
	scale := s.table()
	first, step := 0, 1 // output columns in the order of the source's
	if flip {
		first, step = s.Width-1, -1
	}
	for y := range s.Height {
		row := image[mirror(y+dy, s.Height)*s.Width*s.Channels:][:s.Width*s.Channels]
		out := dst[y*s.Width*s.Channels:][:s.Width*s.Channels]
		for x := range s.Width {
			from := mirror(x+dx, s.Width) * s.Channels
			to := (first + step*x) * s.Channels
			for c := range scale {
				out[to+c] = scale[c][row[from+c]]
			}
		}
	}
}

// mirror maps any coordinate into 0 … n-1 by reflection at the outer borders of
// the edge pixels: -1 is 0, n is n-1, and 2n is 0 again.
func mirror(i, n int) int {
	if uint(i) < uint(n) {
		return i
	}
	i %= 2 * n
	if i < 0 {
		i += 2 * n
	}
	if i >= n {
		i = 2*n - 1 - i
	}
	return i
}
