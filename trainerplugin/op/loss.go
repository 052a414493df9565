package op

import (
	"math"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// CrossEntropy is each image's -ln softmax(logits)[label], in nats. Labels are
// classes, one per image.
func (b *Builder) CrossEntropy(logits, labels *G.Node) *G.Node {
	if b.err != nil {
		return nil
	}
	n := b.Group.capacity()
	o := &operation{layer: "loss", kind: "crossEntropy", what: Description{Kind: CrossEntropyLoss}, wrt: []bool{true, false}}
	o.out = newArray(tensor.Shape{n}, n, 1)
	o.do = func(in []*Value) {
		for i := range b.Group.Images() {
			row := in[0].Row(i, in[0].channels)
			o.out.mem[i] = float32(logSumExp(row) - float64(row[int(in[1].mem[i])]))
		}
	}
	o.derive = func(in G.Nodes, _, grad *G.Node) (G.Nodes, error) {
		n, err := apply(b.crossEntropyGrad(ValueOf(in[0])), in[0], in[1], grad)
		return G.Nodes{n, nil}, err
	}
	return b.layer(o, logits, labels)
}

// crossEntropyGrad is the operation of logits, labels and the gradient of the
// losses to that of the logits: (softmax - onehot)·grad.
func (b *Builder) crossEntropyGrad(logits *Value) *operation {
	o := &operation{layer: "loss", kind: "crossEntropyGrad", what: Description{Kind: CrossEntropyLossGrad}, out: logits.like()}
	o.do = func(in []*Value) {
		for i := range b.Group.Images() {
			row, to, g := in[0].Row(i, in[0].channels), o.out.of(i), float64(in[2].mem[i])
			z, label := logSumExp(row), int(in[1].mem[i])
			for j, v := range row {
				p := math.Exp(float64(v) - z)
				if j == label {
					// p - 1, which may be too small to be left of p
					p = math.Expm1(float64(v) - z)
				}
				to[j] = float32(p * g)
			}
		}
	}
	return o
}

// logSumExp is ln Σ exp x, without overflow.
func logSumExp(x []float32) float64 {
	top := math.Inf(-1)
	for _, v := range x {
		top = max(top, float64(v))
	}
	sum := 0.0
	for _, v := range x {
		sum += math.Exp(float64(v) - top)
	}
	return top + math.Log(sum)
}
