package dataset

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
)

const (
	glyphSize = 28 // height and width of an image, in pixels

	// GlyphTest is how many test images [Open] renders for "glyphs".
	GlyphTest = 10_000
	// GlyphMax is the most training, or test, images that may be asked for.
	GlyphMax = 1_000_000
)

// glyphMean and glyphStd are of all pixels that the procedure draws, over 255. They
// are properties of the procedure, which is public, not of any sample.
const (
	glyphMean = 0.246
	glyphStd  = 0.177
)

// Glyphs renders train and test images of digits, 28 by 28 by 1, in the Go fonts
// of golang.org/x/image: moved, turned, slanted, bent, scaled, of any weight or
// only outlined, more or less blurred, on a shaded, noisy and cluttered ground.
//
// Image i of a part depends on i alone, so a larger set begins with a smaller
// one; its class is i mod 10. Test images are drawn from the same
// distribution as training images, independently of them.
//
// It returns an error if a size is below 0 or above [GlyphMax], or
// context.Cause(ctx) if ctx ends before it is done.
func Glyphs(ctx context.Context, train, test int) (*Set, error) {
	for _, n := range []int{train, test} {
		if n < 0 || n > GlyphMax {
			return nil, fmt.Errorf("render glyphs: %d images; may be 0 to %d", n, GlyphMax)
		}
	}
	atlas, err := glyphAtlas()
	if err != nil {
		return nil, fmt.Errorf("render glyphs: %w", err)
	}
	s := &Set{
		Name: "glyphs", Classes: digitNames,
		Source: "rendered from the Go fonts, version 1",
		Height: glyphSize, Width: glyphSize, Channels: 1,
		Mean: []float64{glyphMean}, Std: []float64{glyphStd},
	}
	if s.Train, err = renderGlyphs(ctx, atlas, "train", train); err != nil {
		return nil, fmt.Errorf("render glyphs: %w", err)
	}
	if s.Test, err = renderGlyphs(ctx, atlas, "test", test); err != nil {
		return nil, fmt.Errorf("render glyphs: %w", err)
	}
	return s, nil
}

// renderGlyphs draws images 0 … n-1 of the named part.
func renderGlyphs(ctx context.Context, atlas [][10]distanceField, part string, n int) (Part, error) {
	p := Part{Pixels: make([]uint8, n*glyphSize*glyphSize), Labels: make([]uint16, n)}
	err := eachChunk(ctx, n, 256, func(from, to int) error {
		var key [32]byte
		copy(key[:], "sweep/dataset glyphs 1 "+part)
		g := glyphPainter{atlas: atlas, random: rand.NewChaCha8(key)}
		for i := from; i < to; i++ {
			// The part's name ends before byte 28, where the index begins.
			binary.LittleEndian.PutUint32(key[28:], uint32(i))
			g.random.Seed(key)
			p.Labels[i] = uint16(i % 10)
			g.paint(p.Pixels[i*glyphSize*glyphSize:][:glyphSize*glyphSize], i%10)
		}
		return nil
	})
	return p, err
}
