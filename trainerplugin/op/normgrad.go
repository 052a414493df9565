package op

import "sweep/trainerplugin/kernel"

// dots is the operation of images and the gradient of the result to a matrix
// of the sums over pixels that all its derivatives need: Σ dy of each channel,
// then Σ dy·r.
func (n *groupNorm) dots() *operation {
	o := &operation{layer: n.name, kind: "gradSums", what: Description{Kind: GroupNormSums, Groups: n.groups}, out: newMatrix(n.group.capacity(), 2*n.channels)}
	sums, dots := n.vectors(), n.vectors()
	o.do = func(in []*Value) {
		x, dy := in[0], in[1]
		for i := range n.group.Images() {
			clear(sums)
			clear(dots)
			g := dy.of(i)
			x.rowsWith(i, dy, func(k int, row []float32, at int) {
				kernel.ReluDots(&sums[k], &dots[k], g[at:][:len(row)], row)
			})
			to := o.out.of(i)
			for c := range n.channels {
				to[c] = sums[c/kernel.Lanes][c%kernel.Lanes]
				to[n.channels+c] = dots[c/kernel.Lanes][c%kernel.Lanes]
			}
		}
	}
	return o
}

// scaleDot is Σ dy·(r - mean)/std of channel c: the gradient of its scale.
func (n *groupNorm) scaleDot(moments, dots []float32, c int) float64 {
	g := c / n.per()
	mean, invStd := float64(moments[g]), float64(moments[n.groups+g])
	return invStd * (float64(dots[n.channels+c]) - mean*float64(dots[c]))
}

// scaleGrad is the operation of moments and sums to the per-example gradient
// of the scale.
func (n *groupNorm) scaleGrad(scale *Value) *operation {
	o := &operation{layer: n.name, kind: "scaleGrad", what: Description{Kind: GroupNormScaleGrad, Groups: n.groups}, out: gradOf(n.group, scale)}
	o.do = func(in []*Value) {
		n.sumViews(o.out, func(i, c int) float64 { return n.scaleDot(in[0].of(i), in[1].of(i), c) })
	}
	return o
}

// offsetGrad is the operation of the sums to the per-example gradient of the
// offset.
func (n *groupNorm) offsetGrad(offset *Value) *operation {
	o := &operation{layer: n.name, kind: "offsetGrad", what: Description{Kind: GroupNormOffsetGrad, Groups: n.groups}, out: gradOf(n.group, offset)}
	o.do = func(in []*Value) {
		n.sumViews(o.out, func(i, c int) float64 { return float64(in[0].of(i)[c]) })
	}
	return o
}

// sumViews fills out with the sum of term over each example's views.
func (n *groupNorm) sumViews(out *Value, term func(image, channel int) float64) {
	for e := range n.group.Active {
		to := out.of(e)
		for c := range n.channels {
			s := 0.0
			if n.group.Add {
				s = float64(to[c])
			}
			for v := range n.group.Views {
				s += term(e*n.group.Views+v, c)
			}
			to[c] = float32(s)
		}
	}
}

// inputGrad is the operation of the gradient of the result, images, moments,
// sums and scale to the gradient of the images. With r̂ = (r - mean)/std and
// averages over a group of scale·dy and of scale·dy·r̂ (Wu and He 2018, as for
// batch normalisation):
//
//	dr = (scale·dy - avg(scale·dy) - r̂·avg(scale·dy·r̂)) / std,  dx = dr where x > 0
func (n *groupNorm) inputGrad(x *Value) *operation {
	o := &operation{layer: n.name, kind: "inputGrad", what: Description{Kind: GroupNormInputGrad, Groups: n.groups}, out: x.like()}
	a, b, c := n.vectors(), n.vectors(), n.vectors()
	o.do = func(in []*Value) {
		dy, x := in[0], in[1]
		for i := range n.group.Images() {
			n.coefficients(in[2].of(i), in[3].of(i), in[4].mem, float64(n.per()*x.height*x.width), a, b, c)
			g, from, to := dy.of(i), x.of(i), o.out.of(i)
			size := x.width * kernel.Lanes
			for k := range x.blocks() {
				for r := range x.height {
					kernel.ReluAffineGrad(to[o.out.at(k, r, 0):][:size], g[dy.at(k, r, 0):][:size], from[x.at(k, r, 0):][:size], &a[k], &b[k], &c[k])
				}
			}
		}
	}
	return o
}

// coefficients writes dr = a·dy + b·r + c for every channel.
func (n *groupNorm) coefficients(moments, dots, scale []float32, count float64, a, b, c []kernel.Vector) {
	for g := range n.groups {
		mean, invStd := float64(moments[g]), float64(moments[n.groups+g])
		var avg, avgHat float64
		for ch := g * n.per(); ch < (g+1)*n.per(); ch++ {
			avg += float64(scale[ch]) * float64(dots[ch])
			avgHat += float64(scale[ch]) * n.scaleDot(moments, dots, ch)
		}
		avg, avgHat = avg/count, avgHat/count
		for ch := g * n.per(); ch < (g+1)*n.per(); ch++ {
			k, l := ch/kernel.Lanes, ch%kernel.Lanes
			a[k][l] = float32(invStd * float64(scale[ch]))
			b[k][l] = float32(-invStd * invStd * avgHat)
			c[k][l] = float32(-invStd*avg + invStd*invStd*mean*avgHat)
		}
	}
}
