package dataset

import (
	"context"
	"fmt"
	"math"
	"sync"

	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gobolditalic"
	"golang.org/x/image/font/gofont/goitalic"
	"golang.org/x/image/font/gofont/gomedium"
	"golang.org/x/image/font/gofont/gomediumitalic"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/gomonobold"
	"golang.org/x/image/font/gofont/gomonobolditalic"
	"golang.org/x/image/font/gofont/gomonoitalic"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/gofont/gosmallcaps"
	"golang.org/x/image/font/gofont/gosmallcapsitalic"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

// glyphFonts are the faces that digits are drawn in. Their order is part of
// what the data set is: to change it is to change every image.
var glyphFonts = [][]byte{
	goregular.TTF, goitalic.TTF, gomedium.TTF, gomediumitalic.TTF, gobold.TTF, gobolditalic.TTF,
	gomono.TTF, gomonoitalic.TTF, gomonobold.TTF, gomonobolditalic.TTF, gosmallcaps.TTF, gosmallcapsitalic.TTF,
}

const (
	atlasSize = 64 // width and height of a field, in cells
	atlasPPEM = 48 // cells to the em; a digit is then about 35 high
	atlasUnit = 64 // units of distance in a cell, as in fixed.Int26_6
	curveCuts = 6  // straight pieces that a curve is cut into

	// atlasFar is the largest distance held: enough for the boldest stroke,
	// the widest outline and the softest edge together.
	atlasFar = 12 * atlasUnit
)

// A distanceField holds, at the centre of each cell, the distance to the digit's
// edge, in units; negative inside the digit. The digit stands in its middle.
type distanceField [atlasSize * atlasSize]int16

// glyphAtlas returns the fields of all digits in all fonts, [font][digit].
//
// Everything from the fonts' integer outlines to the images' bytes is integer
// arithmetic or float64 operations that IEEE 754 rounds in one way only and
// that compilers cannot fuse, so the data set is the same on every machine.
var glyphAtlas = sync.OnceValues(func() ([][10]distanceField, error) {
	atlas := make([][10]distanceField, len(glyphFonts))
	err := eachChunk(context.Background(), len(glyphFonts), 1, func(f, _ int) error {
		font, err := sfnt.Parse(glyphFonts[f])
		if err != nil {
			return fmt.Errorf("parse glyph font %d: %w", f, err)
		}
		for digit := range 10 {
			edges, err := outline(font, rune('0'+digit))
			if err != nil {
				return fmt.Errorf("outline %d in glyph font %d: %w", digit, f, err)
			}
			atlas[f][digit].fill(edges)
		}
		return nil
	})
	return atlas, err
})

// An edge is a straight piece of an outline, in units of 1/64 cell.
type edge struct{ x0, y0, x1, y1 int64 }

// outline returns r's closed contours as edges, centred in the field.
func outline(font *sfnt.Font, r rune) ([]edge, error) {
	var buf sfnt.Buffer
	index, err := font.GlyphIndex(&buf, r)
	if err != nil {
		return nil, err
	}
	segments, err := font.LoadGlyph(&buf, index, fixed.I(atlasPPEM), nil)
	if err != nil {
		return nil, err
	}
	box := segments.Bounds()
	shiftX := atlasSize*atlasUnit/2 - int64(box.Min.X+box.Max.X)/2
	shiftY := atlasSize*atlasUnit/2 - int64(box.Min.Y+box.Max.Y)/2

	var edges []edge
	var x, y int64 // where the pen is
	to := func(nx, ny int64) {
		edges = append(edges, edge{x, y, nx, ny})
		x, y = nx, ny
	}
	for _, s := range segments {
		ax, ay := int64(s.Args[0].X)+shiftX, int64(s.Args[0].Y)+shiftY
		switch s.Op {
		case sfnt.SegmentOpMoveTo:
			x, y = ax, ay
		case sfnt.SegmentOpLineTo:
			to(ax, ay)
		case sfnt.SegmentOpQuadTo:
			bx, by := int64(s.Args[1].X)+shiftX, int64(s.Args[1].Y)+shiftY
			for x0, y0, t := x, y, int64(1); t <= curveCuts; t++ {
				to(quadratic(x0, ax, bx, t), quadratic(y0, ay, by, t))
			}
		default:
			return nil, fmt.Errorf("outline operation %d: the fonts are TrueType, which has none", s.Op)
		}
	}
	return edges, nil
}

// quadratic is the Bézier curve p, q, r at t/curveCuts, rounded down.
func quadratic(p, q, r, t int64) int64 {
	u := curveCuts - t
	return (u*u*p + 2*u*t*q + t*t*r) / (curveCuts * curveCuts)
}

// fill measures the distance of every cell's centre to edges.
func (f *distanceField) fill(edges []edge) {
	for i := range f {
		px := int64(i%atlasSize)*atlasUnit + atlasUnit/2
		py := int64(i/atlasSize)*atlasUnit + atlasUnit/2
		nearest := math.Inf(1)
		winding := 0
		for _, e := range edges {
			nearest = min(nearest, e.distance2(px, py))
			winding += e.crosses(px, py)
		}
		d := min(math.Sqrt(nearest), atlasFar)
		if winding != 0 {
			d = -d
		}
		f[i] = int16(math.RoundToEven(d))
	}
}

// distance2 is the squared distance of (px, py) to e.
func (e edge) distance2(px, py int64) float64 {
	dx, dy := e.x1-e.x0, e.y1-e.y0
	wx, wy := px-e.x0, py-e.y0
	along, length2 := wx*dx+wy*dy, dx*dx+dy*dy
	switch {
	case along <= 0 || length2 == 0:
		return float64(wx*wx + wy*wy)
	case along >= length2:
		wx, wy = px-e.x1, py-e.y1
		return float64(wx*wx + wy*wy)
	}
	across := wx*dy - wy*dx
	return float64(across) * float64(across) / float64(length2)
}

// crosses is +1 or -1 if e crosses the ray that leaves (px, py) to the right,
// downwards or upwards, and 0 if it does not.
func (e edge) crosses(px, py int64) int {
	across := (e.x1-e.x0)*(py-e.y0) - (px-e.x0)*(e.y1-e.y0)
	switch {
	case e.y0 <= py && py < e.y1 && across > 0:
		return 1
	case e.y1 <= py && py < e.y0 && across < 0:
		return -1
	}
	return 0
}

// at is the distance at (u, v), given in cells times 2¹⁶, by bilinear
// interpolation between the centres of cells.
func (f *distanceField) at(u, v int64) int64 {
	u -= 1 << 15
	v -= 1 << 15
	x, y := u>>16, v>>16
	if uint64(x) >= atlasSize-1 || uint64(y) >= atlasSize-1 {
		return atlasFar
	}
	fx, fy := u>>8&255, v>>8&255
	cell := f[y*atlasSize+x:]
	top := int64(cell[0])*(256-fx) + int64(cell[1])*fx
	bottom := int64(cell[atlasSize])*(256-fx) + int64(cell[atlasSize+1])*fx
	return (top*(256-fy) + bottom*fy) >> 16
}
