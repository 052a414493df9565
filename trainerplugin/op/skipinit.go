package op

import (
	"fmt"

	G "gorgonia.org/gorgonia"

	"sweep/trainerplugin/kernel"
)

// SkipInit joins a residual branch to its shortcut as normaliser-free networks
// do: shortcut + alpha·gain·branch (De and Smith 2020; Brock et al. 2021). The
// gain is one weight, name/gain with no dimensions.
func (b *Builder) SkipInit(name string, shortcut, branch *G.Node, alpha float32, init Weights) *G.Node {
	if b.err != nil {
		return nil
	}
	if !ValueOf(shortcut).shape.Eq(ValueOf(branch).shape) {
		b.fail(fmt.Errorf("%s: shapes %v and %v differ", name, ValueOf(shortcut).shape, ValueOf(branch).shape))
		return nil
	}
	gain := b.param(&Param{
		Tensors: []Tensor{{name + "/gain", nil, init(1, 1)}},
		layout:  channelwise(1),
		shape:   []int{1},
	})
	o := &operation{layer: name, kind: "skipInit", what: Description{Kind: Join, Scale: alpha}, out: ValueOf(branch).like(), wrt: []bool{true, true, true}}
	o.do = func(in []*Value) {
		a := alpha * in[2].mem[0]
		b.Group.eachRow([]*Value{o.out, in[0], in[1]}, func(r ...[]float32) {
			copy(r[0], r[1])
			kernel.Axpy(r[0], a, r[2])
		})
	}
	o.derive = func(in G.Nodes, _, grad *G.Node) (G.Nodes, error) {
		dbranch, err := apply(b.scaledBy(name, ValueOf(branch), alpha), grad, in[2])
		if err != nil {
			return nil, err
		}
		dgain, err := apply(b.skipGainGrad(name, ValueOf(in[2]), alpha), in[1], grad)
		return G.Nodes{grad, dbranch, dgain}, err
	}
	return b.layer(o, shortcut, branch, gain)
}

// scaledBy is the operation of images and a gain to alpha·gain·images.
func (b *Builder) scaledBy(name string, x *Value, alpha float32) *operation {
	o := &operation{layer: name, kind: "branchGrad", what: Description{Kind: JoinBranchGrad, Scale: alpha}, out: x.like()}
	var a kernel.Vector
	o.do = func(in []*Value) {
		for l := range a {
			a[l] = alpha * in[1].mem[0]
		}
		b.Group.eachRow([]*Value{o.out, in[0]}, func(r ...[]float32) { kernel.LaneScale(r[0], r[1], &a) })
	}
	return o
}

// skipGainGrad is the operation of the branch and the gradient of the result to
// the per-example gradient of the gain: alpha·Σ branch·grad.
func (b *Builder) skipGainGrad(name string, gain *Value, alpha float32) *operation {
	o := &operation{layer: name, kind: "gainGrad", what: Description{Kind: JoinGainGrad, Scale: alpha}, out: gradOf(b.Group, gain)}
	o.do = func(in []*Value) {
		x, dy := in[0], in[1]
		for e := range b.Group.Active {
			sum := 0.0
			for v := range b.Group.Views {
				i := e*b.Group.Views + v
				x.rowsWith(i, dy, func(_ int, row []float32, at int) {
					sum += dot(row, dy.of(i)[at:][:len(row)])
				})
			}
			to := o.out.of(e)
			if !b.Group.Add {
				clear(to)
			}
			to[0] += alpha * float32(sum)
		}
	}
	return o
}

// dot is Σ x·y, in float64 but for sums within a lane of short rows.
func dot(x, y []float32) float64 {
	v := laneSumsPool.Get().(*laneSums)
	defer laneSumsPool.Put(v)
	clear(v[:])
	kernel.FilterSums(&v[0], &v[1], &v[2], x, y)
	total := 0.0
	for _, p := range v[2] {
		total += float64(p)
	}
	return total
}
