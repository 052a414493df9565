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
func (s *Set) plain(dst []float32, image []uint8) { normalise(dst, image, s.table(), 1) }

// warp writes into dst the image moved up by dy and left by dx, mirrored beyond
// its edges, and then flipped left to right if flip is set.
func (s *Set) warp(dst []float32, image []uint8, dy, dx int, flip bool) {
	scale, n, w := s.table(), s.Channels, s.Width
	// Columns inside … end-1 of the moved image are the source's own; beyond
	// them it is mirrored, pixel by pixel.
	inside, end := min(max(0, -dx), w), max(min(w, w-dx), 0)
	for y := range s.Height {
		row := image[mirror(y+dy, s.Height)*w*n:][:w*n]
		out := dst[y*w*n:][:w*n]
		for x := 0; x < w; x++ {
			if x == inside && inside < end {
				source := row[(inside+dx)*n : (end+dx)*n]
				if flip {
					normalise(out[(w-end)*n:(w-inside)*n], source, scale, -1)
				} else {
					normalise(out[inside*n:end*n], source, scale, 1)
				}
				x = end - 1
				continue
			}
			to := x
			if flip {
				to = w - 1 - x
			}
			from := mirror(x+dx, w)
			normalise(out[to*n:(to+1)*n], row[from*n:(from+1)*n], scale, 1)
		}
	}
}

// normalise writes the normalised pixels of src into dst, in their order if
// direction is 1 and the last first if it is -1. Each has len(scale) values.
func normalise(dst []float32, src []uint8, scale [][256]float32, direction int) {
	n := len(scale)
	at, step := 0, n
	if direction < 0 {
		at, step = len(src)-n, -n
	}
	switch n {
	case 1:
		grey := &scale[0]
		for _, v := range src {
			dst[at] = grey[v]
			at += step
		}
	case 3:
		red, green, blue := &scale[0], &scale[1], &scale[2]
		for ; len(src) >= 3; src = src[3:] {
			to := dst[at : at+3 : at+3]
			to[0], to[1], to[2] = red[src[0]], green[src[1]], blue[src[2]]
			at += step
		}
	default:
		for ; len(src) >= n; src = src[n:] {
			for c := range scale {
				dst[at+c] = scale[c][src[c]]
			}
			at += step
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
