package xla

import "sweep"

// cropPad and viewDomain are those of dataset.DrawView.
const (
	cropPad    = 4
	viewDomain = 0x76696577
)

// staged are the images that lie on the device.
type staged struct{ images, labels, table value }

// pick is the images at the given places, F32 and normalised, and their labels.
// A table is looked up rather than computed: the CPU's numbers come from the
// same table.
func (s staged) pick(e *emitter, places value) (images, labels value) {
	images, labels = e.rows(s.images, places), e.rows(s.labels, places)
	if s.table.id == "" {
		return images, labels
	}
	channels := s.table.shape[0]
	at := e.convert(images, I32)
	at = e.add(at, e.times(e.iota(I32, at.shape, 3), 256))
	flat := e.rows(e.reshape(s.table, channels*256), e.reshape(at, at.len()))
	return e.reshape(flat, images.shape...), labels
}

// views draws views of images [examples, height, width, channels], which are the
// staged ones at the given places: [examples·views, height, width, channels]. The
// choices are those of dataset.DrawView, bit for bit, from words of the counter
// {view, place, step, "view"} under the trial's key.
func views(e *emitter, images, places, words value, count int, aug sweep.Augmentation) value {
	examples := images.shape[0]
	if aug == "" {
		shape := append([]int{examples, count}, images.shape[1:]...)
		repeated := e.broadcast(images, shape, 0, 2, 3, 4)
		return e.reshape(repeated, append([]int{examples * count}, images.shape[1:]...)...)
	}
	shape := []int{examples, count}
	n := examples * count
	counter := [4]value{
		e.iota(U32, shape, 1), e.broadcast(e.convert(places, U32), shape, 0),
		e.broadcast(e.at(words, wordStep), shape), e.constant(U32, shape, viewDomain),
	}
	drawn := philox(e, counter, [2]value{e.broadcast(e.at(words, wordViewKey), shape), e.broadcast(e.at(words, wordViewKey+1), shape)})
	for i, w := range drawn {
		drawn[i] = e.reshape(w, n)
	}
	dy, dx := e.constant(I32, []int{n}, cropPad), e.constant(I32, []int{n}, cropPad)
	if aug != sweep.Flip {
		dy, dx = below(e, drawn[1], 2*cropPad+1), below(e, drawn[2], 2*cropPad+1)
	}
	example := e.reshape(e.iota(I32, shape, 0), n, 1)
	index := e.concat(1, example, e.reshape(dy, n, 1), e.reshape(dx, n, 1))
	out := e.windows(mirrored(e, images), index, images.shape[1], images.shape[2])
	if aug == sweep.Crop {
		return out
	}
	bit := e.binary("and", drawn[0], e.like(drawn[0], 1))
	flip := e.compare("EQ", bit, e.like(bit, 1))
	return e.choose(e.along(flip, out, 0), e.reverse(out, 2), out)
}

// mirrored pads images by cropPad pixels on each side, mirrored with the edge
// pixel repeated.
func mirrored(e *emitter, images value) value {
	for d := 1; d <= 2; d++ {
		var pieces []value
		for _, r := range mirrorRuns(images.shape[d]) {
			p := e.part(images, d, min(r.first, r.last), max(r.first, r.last)+1)
			if r.last < r.first {
				p = e.reverse(p, d)
			}
			pieces = append(pieces, p)
		}
		images = e.concat(d, pieces...)
	}
	return images
}

// A run is neighbouring pixels, backwards where last is below first.
type run struct{ first, last int }

// mirrorRuns are the pixels of a padded side of n pixels, from one border to the
// other: reflections at the outer borders of the edge pixels, as many as it takes.
func mirrorRuns(n int) []run {
	var runs []run
	for i := -cropPad; i < n+cropPad; i++ {
		m := ((i % (2 * n)) + 2*n) % (2 * n)
		back := m >= n
		if back {
			m = 2*n - 1 - m
		}
		step := 1
		if back {
			step = -1
		}
		last := len(runs) - 1
		if last >= 0 && runs[last].last+step == m {
			runs[last].last = m
			continue
		}
		runs = append(runs, run{m, m})
	}
	return runs
}

// philox is Philox4x32-10 of Salmon et al., SC 2011, section 3.3, as package
// dataset has it.
func philox(e *emitter, counter [4]value, key [2]value) [4]value {
	wide := func(multiplier float64, x value) (high, low value) {
		p := e.convert(x, U64)
		p = e.times(p, multiplier)
		return e.convert(e.binary("shift_right_logical", p, e.like(p, 32)), U32), e.convert(e.binary("and", p, e.like(p, 0xFFFFFFFF)), U32)
	}
	xor := func(a, b, c value) value { return e.binary("xor", e.binary("xor", a, b), c) }
	for range 10 {
		high0, low0 := wide(0xD2511F53, counter[0])
		high1, low1 := wide(0xCD9E8D57, counter[2])
		counter = [4]value{xor(high1, counter[1], key[0]), low1, xor(high0, counter[3], key[1]), low0}
		key[0], key[1] = e.plus(key[0], 0x9E3779B9), e.plus(key[1], 0xBB67AE85)
	}
	return counter
}

// below maps random words to 0 … n-1, I32.
func below(e *emitter, word value, n int) value {
	p := e.times(e.convert(word, U64), float64(n))
	return e.convert(e.binary("shift_right_logical", p, e.like(p, 32)), I32)
}
