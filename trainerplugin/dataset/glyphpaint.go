package dataset

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
)

// A glyphPainter paints one image after another. All its arithmetic is in
// integers; "16.16" are numbers times 2¹⁶.
type glyphPainter struct {
	atlas  [][10]distanceField
	random *rand.ChaCha8
	canvas [glyphSize * glyphSize]int32 // brightness, 0 to 255, times 256
	noise  [2 * glyphSize * glyphSize]byte
}

// between returns a whole number from lo to hi, each as likely (within 2⁻³²).
func (g *glyphPainter) between(lo, hi int64) int64 {
	n, _ := bits.Mul64(g.random.Uint64(), uint64(hi-lo)+1)
	return lo + int64(n)
}

// paint draws label's digit, and all that hides it, into dst.
func (g *glyphPainter) paint(dst []uint8, label int) {
	ground := g.between(10, 70)
	contrast := g.between(80, 180)
	g.shade(ground)
	if g.between(0, 99) < 40 {
		g.neighbour(contrast * g.between(30, 80) / 100)
	}
	for range g.between(0, 2) {
		g.scratch(contrast * g.between(30, 80) / 100)
	}
	g.digit(label, g.place(glyphSize*128, glyphSize*128, 512), contrast)
	for range g.between(0, 2) {
		g.blur()
	}
	g.finish(dst, int32(g.between(5, 45)))
}

// shade fills the canvas with a plane that slopes from corner to corner.
func (g *glyphPainter) shade(ground int64) {
	slopeX, slopeY := g.between(-400, 400), g.between(-400, 400) // brightness·256 per pixel
	for i := range g.canvas {
		x, y := int64(i%glyphSize)-glyphSize/2, int64(i/glyphSize)-glyphSize/2
		g.canvas[i] = int32(max(0, ground*256+slopeX*x+slopeY*y))
	}
}

// A placing maps pixels to cells of a distanceField: a linear map, 16.16, about a
// centre, and a bend.
type placing struct {
	centreX, centreY   int64 // in pixels·256
	xx, xy, yx, yy     int64 // cells per pixel
	bend               int64 // cells per squared pixel
	cell               int64 // cells per pixel before slant and turn
	left, top, far, to int   // pixels worth looking at: columns left … far-1, rows top … to-1
}

// place draws a placing whose centre is at most stray from (x, y), all in
// pixels·256.
func (g *glyphPainter) place(x, y, stray int64) placing {
	p := placing{centreX: x + g.between(-stray, stray), centreY: y + g.between(-stray, stray)}
	height := g.between(15*16, 22*16) // of a digit, in pixels·16; it has 35 cells
	p.cell = 35 << 16 * 16 / height
	across := p.cell * g.between(220, 310) / 256
	down := p.cell

	// A turn by up to 15 degrees, from the tangent t of half the angle, so that
	// sine and cosine are fractions: 2t/(1+t²) and (1-t²)/(1+t²).
	t := g.between(-134, 134) // times 1024
	sin := (2 * t * 1024) << 16 / (1024*1024 + t*t)
	cos := (1024*1024 - t*t) << 16 / (1024*1024 + t*t)
	slant := g.between(-1<<13, 1<<13)

	p.xx = across * (cos - slant*sin>>16) >> 16
	p.xy = across * (sin + slant*cos>>16) >> 16
	p.yx = -down * sin >> 16
	p.yy = down * cos >> 16
	p.bend = g.between(-1000, 1000)

	const reach = 18 // pixels from the centre to a digit's farthest corner, and more
	p.left, p.far = max(0, int(p.centreX>>8)-reach), min(glyphSize, int(p.centreX>>8)+reach)
	p.top, p.to = max(0, int(p.centreY>>8)-reach), min(glyphSize, int(p.centreY>>8)+reach)
	return p
}

// digit paints a digit at p, brighter than the ground by contrast.
func (g *glyphPainter) digit(digit int, p placing, contrast int64) {
	field := &g.atlas[g.between(0, int64(len(g.atlas)-1))][digit]
	weight := g.between(-40, 120) // units by which the stroke grows on each side
	outlined := g.between(0, 99) < 20
	half := g.between(50, 90)                  // of an outline's width, in units
	edge := p.cell * g.between(256, 640) >> 18 // units over which ink fades: 1 to 2.5 pixels

	for y := p.top; y < p.to; y++ {
		dy := int64(y)<<8 + 128 - p.centreY
		for x := p.left; x < p.far; x++ {
			dx := int64(x)<<8 + 128 - p.centreX
			u := (p.xx*dx+p.xy*dy)>>8 + p.bend*(dy*dy>>8)>>8 + atlasSize<<15
			v := (p.yx*dx+p.yy*dy)>>8 + atlasSize<<15
			depth := weight - field.at(u, v)
			if outlined {
				depth = half - max(depth, -depth)
			}
			if ink := min(256, 128+depth*256/edge); ink > 0 {
				g.canvas[y*glyphSize+x] += int32(ink * contrast)
			}
		}
	}
}

// neighbour paints a digit that peeks in from outside.
func (g *glyphPainter) neighbour(contrast int64) {
	const out = 15 * 256 // pixels from the image's centre
	x, y := g.between(-out, out), g.between(-out, out)
	switch g.between(0, 3) {
	case 0:
		x = -out
	case 1:
		x = out
	case 2:
		y = -out
	case 3:
		y = out
	}
	const middle = glyphSize * 128
	g.digit(int(g.between(0, 9)), g.place(middle+x, middle+y, 256), contrast)
}

// scratch paints a straight stroke about a pixel and a half wide.
func (g *glyphPainter) scratch(contrast int64) {
	const size = glyphSize * 16 // coordinates in pixels·16
	x0, y0 := g.between(0, size), g.between(0, size)
	dx, dy := g.between(-size/2, size/2), g.between(-size/2, size/2)
	length2 := dx*dx + dy*dy
	const half = 12 // of the width
	for i := range g.canvas {
		wx, wy := int64(i%glyphSize)*16+8-x0, int64(i/glyphSize)*16+8-y0
		along, across := wx*dx+wy*dy, wx*dy-wy*dx
		if along >= 0 && along <= length2 && across*across <= half*half*length2 {
			g.canvas[i] += int32(contrast * 256)
		}
	}
}

// blur smooths the canvas by (1 2 1)/4 in both directions; beyond its border it
// goes on as at the border.
func (g *glyphPainter) blur() {
	for y := range glyphSize {
		row := g.canvas[y*glyphSize:][:glyphSize]
		before := row[0]
		for x, v := range row {
			row[x] = (before + 2*v + row[min(x+1, glyphSize-1)]) >> 2
			before = v
		}
	}
	var above [glyphSize]int32
	copy(above[:], g.canvas[:glyphSize])
	for y := range glyphSize {
		row := g.canvas[y*glyphSize:][:glyphSize]
		below := g.canvas[min(y+1, glyphSize-1)*glyphSize:][:glyphSize]
		for x, v := range row {
			row[x] = (above[x] + 2*v + below[x]) >> 2
			above[x] = v
		}
	}
}

// finish adds noise, the sum of two random bytes (a triangular distribution of
// standard deviation 104) times strength/256, and rounds the canvas into dst.
func (g *glyphPainter) finish(dst []uint8, strength int32) {
	for i := 0; i < len(g.noise); i += 8 {
		binary.LittleEndian.PutUint64(g.noise[i:], g.random.Uint64())
	}
	for i, v := range g.canvas {
		noise := int32(g.noise[2*i]) + int32(g.noise[2*i+1]) - 255
		dst[i] = uint8(min(255, max(0, (v+noise*strength+128)>>8)))
	}
}
