package xla

import (
	"fmt"

	G "gorgonia.org/gorgonia"

	"sweep/trainerplugin/model"
	"sweep/trainerplugin/op"
)

// A lowering walks a model's graph, derivatives included, and prints what its
// nodes compute. Activations lie as [image, height, width, channel], matrices as
// [image, feature] in float32; image e·Views + k is view k of example e.
type lowering struct {
	*emitter
	config  Config
	graph   *model.Graph
	params  []prepared          // by parameter
	done    map[*G.Node][]value // of what the graph computes per image
	partial map[*G.Node]gradient
}

func newLowering(e *emitter, c Config, g *model.Graph, params []prepared) *lowering {
	return &lowering{emitter: e, config: c, graph: g, params: params, done: map[*G.Node][]value{}, partial: map[*G.Node]gradient{}}
}

// stored is the type of activations between operations.
func (c Config) stored() Element {
	if c.Precision == Brain {
		return BF16
	}
	return F32
}

// store rounds float32 activations to what is kept of them.
func (l *lowering) store(v value) value { return l.convert(v, l.config.stored()) }

func (l *lowering) wide(v value) value { return l.convert(v, F32) }

// operand rounds a factor of a product, so that the precision is the program's
// and not the device's: TF32 units take what is rounded already as it is.
func (c Config) operand(e *emitter, v value) value {
	switch c.Precision {
	case Brain:
		return e.convert(v, BF16)
	case Tensor32:
		v = e.convert(v, F32)
		return e.apply("reduce_precision", "exponent_bits = 8 : i32, mantissa_bits = 10 : i32", F32, v.shape, v)
	}
	return e.convert(v, F32)
}

func (l *lowering) operand(v value) value { return l.config.operand(l.emitter, v) }

// exact says whether products keep all of their float32 operands.
func (c Config) exact() bool { return c.Precision == Full }

// shape is that of n's value in the program's layout.
func (l *lowering) shape(n *G.Node) []int {
	s := op.ValueOf(n).Shape()
	if len(s) == 4 {
		return []int{s[0], s[2], s[3], s[1]}
	}
	return s
}

// result stores v, in float32, as the value of a node of n's kind.
func (l *lowering) result(n *G.Node, v value) value {
	v = l.reshape(v, l.shape(n)...)
	if v.rank() == 4 {
		return l.store(v)
	}
	return v
}

// of is the value of n.
func (l *lowering) of(n *G.Node) value { return l.all(n)[0] }

// all is the value of n in as many parts as it has.
func (l *lowering) all(n *G.Node) []value {
	if v, ok := l.done[n]; ok {
		return v
	}
	d, ok := op.Describe(n)
	if !ok {
		panic(fmt.Sprintf("node %v cannot be lowered", n))
	}
	in := op.Inputs(n)
	lower, ok := lowerings[d.Kind]
	if !ok {
		panic(fmt.Sprintf("%s: no lowering for %v", d.Layer, n.Op()))
	}
	v := lower(l, n, d, in)
	l.done[n] = v
	return v
}

// one makes a lowering of what has one value.
func one(f func(l *lowering, d op.Description, in G.Nodes) value) func(*lowering, *G.Node, op.Description, G.Nodes) []value {
	return func(l *lowering, n *G.Node, d op.Description, in G.Nodes) []value {
		return []value{l.result(n, f(l, d, in))}
	}
}

// lowerings is by kind. Those of per-example gradients are in [gradients].
var lowerings map[op.Kind]func(l *lowering, n *G.Node, d op.Description, in G.Nodes) []value

// gradients is by kind, for nodes that hold a per-example gradient.
var gradients map[op.Kind]func(l *lowering, d op.Description, in G.Nodes) gradient

func init() {
	lowerings = map[op.Kind]func(l *lowering, n *G.Node, d op.Description, in G.Nodes) []value{
		op.Convolution:             one((*lowering).convolution),
		op.ConvolutionInputGrad:    convolutionInputGrad,
		op.FullyConnected:          one((*lowering).dense),
		op.FullyConnectedInputGrad: one((*lowering).denseInputGrad),
		op.Moments:                 (*lowering).moments,
		op.GroupNorm:               one((*lowering).groupNorm),
		op.GroupNormSums:           (*lowering).groupNormSums,
		op.GroupNormInputGrad:      one((*lowering).groupNormInputGrad),
		op.Activate:                one((*lowering).activate),
		op.ActivateGrad:            one((*lowering).activateGrad),
		op.Sum:                     one((*lowering).sum),
		op.Mean:                    one((*lowering).mean),
		op.MeanGrad:                meanGrad,
		op.PoolMean:                one((*lowering).poolMean),
		op.PoolMeanGrad:            poolMeanGrad,
		op.PoolMax:                 one((*lowering).poolMax),
		op.PoolMaxGrad:             one((*lowering).poolMaxGrad),
		op.Join:                    one((*lowering).join),
		op.JoinBranchGrad:          one((*lowering).joinBranchGrad),
		op.Gate:                    one((*lowering).gate),
		op.GateGrad:                one((*lowering).gateGrad),
		op.CrossEntropyLoss:        one((*lowering).crossEntropy),
		op.CrossEntropyLossGrad:    one((*lowering).crossEntropyGrad),
	}
	gradients = map[op.Kind]func(l *lowering, d op.Description, in G.Nodes) gradient{
		op.ConvolutionWeightGrad:    (*lowering).convolutionWeightGrad,
		op.FullyConnectedWeightGrad: (*lowering).denseWeightGrad,
		op.BiasGrad:                 (*lowering).biasGrad,
		op.GroupNormScaleGrad:       (*lowering).groupNormScaleGrad,
		op.GroupNormOffsetGrad:      (*lowering).groupNormOffsetGrad,
		op.JoinGainGrad:             (*lowering).joinGainGrad,
	}
}

// param is the prepared parameter that n, a replica, stands for.
func (l *lowering) param(n *G.Node) prepared {
	d, _ := op.Describe(n)
	if d.Kind != op.Replicate {
		panic(fmt.Sprintf("%v is no parameter", n))
	}
	return l.params[l.graph.Leaf(op.Inputs(n)[0])]
}

// gradient is the per-example gradient that n holds.
func (l *lowering) gradient(n *G.Node) gradient {
	d, _ := op.Describe(n)
	make, ok := gradients[d.Kind]
	if !ok {
		panic(fmt.Sprintf("%s: no lowering for the gradient %v", d.Layer, n.Op()))
	}
	return make(l, d, op.Inputs(n))
}
