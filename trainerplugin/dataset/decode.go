package dataset

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	_ "image/jpeg" // the two formats that image folders may hold
	_ "image/png"

	"golang.org/x/image/draw"
)

// decodeInto decodes a JPEG or PNG into dst, red, green and blue by pixel, where
// dst has height by width pixels, and reports whether the image is in shades of
// grey by its format. What is transparent becomes black. If resize is not set,
// the image must have that size already. If it is, the image is cut at its
// centre to the wanted proportions and scaled by Catmull and Rom's cubic.
//
// The size is known before any pixel is decoded, so a small file that unfolds
// into a giant image costs nothing.
func decodeInto(dst []uint8, data []byte, height, width int, resize bool) (grey bool, err error) {
	h, w, grey, err := imageSize(data)
	if err != nil {
		return false, err
	}
	if !resize && (h != height || w != width) {
		return false, fmt.Errorf("%dx%d pixels, where the first image has %dx%d; name the set …@%dx%d to have all scaled", h, w, height, width, height, width)
	}
	img, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return false, err
	}
	flat := image.NewRGBA(image.Rect(0, 0, width, height))
	if h == height && w == width {
		draw.Draw(flat, flat.Bounds(), img, img.Bounds().Min, draw.Src)
	} else {
		draw.CatmullRom.Scale(flat, flat.Bounds(), img, centreCut(img.Bounds(), height, width), draw.Src, nil)
	}
	for i := range height * width {
		copy(dst[3*i:3*i+3], flat.Pix[4*i:4*i+3])
	}
	return grey, nil
}

// imageSize reads the height and width from an image's header, and whether it
// has shades of grey only.
func imageSize(data []byte) (height, width int, grey bool, err error) {
	c, _, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return 0, 0, false, err
	}
	if c.Height < 1 || c.Width < 1 || c.Height > maxSide || c.Width > maxSide {
		return 0, 0, false, fmt.Errorf("%dx%d pixels; a side may be 1 to %d", c.Height, c.Width, maxSide)
	}
	return c.Height, c.Width, c.ColorModel == color.GrayModel || c.ColorModel == color.Gray16Model, nil
}

// centreCut is the largest rectangle in the middle of r with the proportions of
// height by width.
func centreCut(r image.Rectangle, height, width int) image.Rectangle {
	h, w := r.Dy(), r.Dx()
	if h*width > w*height {
		h = max(1, w*height/width)
	} else {
		w = max(1, h*width/height)
	}
	top, left := r.Min.Y+(r.Dy()-h)/2, r.Min.X+(r.Dx()-w)/2
	return image.Rect(left, top, left+w, top+h)
}
