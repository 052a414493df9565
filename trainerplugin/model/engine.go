package model

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"

	"sweep/trainerplugin/dpsgd"
	"sweep/trainerplugin/kernel"
	"sweep/trainerplugin/op"
)

// A graph takes as many images at once as have groupFloats numbers, in
// activations and their gradients, but at most groupImages: enough that the
// graph's own cost does not count, few enough that they stay in the cache. Two
// images may have pairFloats: large weights are then read half as often, and
// sums of gradients too.
const (
	groupFloats = 1 << 21
	pairFloats  = 1 << 24
	groupImages = 16
)

// An Engine computes with one architecture on the CPU. It implements
// [dpsgd.Engine]; calls from several goroutines wait for each other.
//
// A gradient's norm is computed in float64 from the float32 gradient, and the
// scaled gradient is rounded to float32 again, so its norm may exceed 1 by the
// rounding of two products, 1.2e-7 of it.
type Engine struct {
	arch    architecture
	in      Input
	threads int
	all     []*op.Param
	params  []*op.Param // those that are trained
	frozen  []*op.Param // and those that are not
	size    int         // flat trained weights
	stride  int         // floats of a packed gradient
	images  int         // that a graph takes at once

	mu       sync.Mutex
	values   []*op.Value // every parameter, as the graphs read it
	packed   []*op.Value // those of params
	given    bool        // whether the frozen ones are
	machines map[shape][]*machine
	sums     [][]float32 // packed; see sumsFor
}

var _ dpsgd.Engine = (*Engine)(nil)

// New returns an engine for the named architecture on threads threads. The
// error wraps [ErrUnknown] if there is no such name, and names the layer if the
// architecture does not fit the input.
func New(name string, in Input, threads int, options ...Option) (*Engine, error) {
	a, err := find(name)
	if err != nil {
		return nil, err
	}
	if err := kernel.Err(); err != nil {
		return nil, err
	}
	if threads < 1 {
		return nil, fmt.Errorf("%d threads; at least 1 is needed", threads)
	}
	for _, o := range options {
		o(&a)
	}
	return newEngine(a, in, threads)
}

func newEngine(a architecture, in Input, threads int) (*Engine, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	m, err := newMachine(a, in, shape{1, 1, true})
	if err != nil {
		return nil, err
	}
	e := &Engine{arch: a, in: in, threads: threads, all: m.Params, images: imagesAtOnce(m), machines: map[shape][]*machine{}}
	for _, p := range m.Params {
		v := p.NewValue()
		e.values = append(e.values, v)
		if p.Frozen {
			e.frozen = append(e.frozen, p)
			continue
		}
		e.params, e.packed = append(e.params, p), append(e.packed, v)
		e.size += p.Size()
		e.stride += p.Packed()
	}
	return e, nil
}

// Tensors names the blocks of the weight vector in their order. Those of frozen
// layers are not in it; see [Engine.Frozen].
func (e *Engine) Tensors() []dpsgd.Tensor { return tensorsOf(e.params) }

func tensorsOf(params []*op.Param) (ts []dpsgd.Tensor) {
	for _, p := range params {
		for _, t := range p.Tensors {
			ts = append(ts, dpsgd.Tensor{Name: t.Name, Shape: slices.Clone(t.Shape)})
		}
	}
	return ts
}

// Init returns fresh weights drawn from seed, each tensor from a stream of its
// own: freezing some layers does not change the others.
func (e *Engine) Init(seed uint64) []float32 { return e.initial(seed, false) }

// initial draws the weights of the layers that are frozen, or of the others.
func (e *Engine) initial(seed uint64, frozen bool) []float32 {
	var w []float32
	i := uint64(0)
	for _, p := range e.all {
		for _, t := range p.Tensors {
			if p.Frozen == frozen {
				var key [32]byte
				copy(key[:], "initial weights")
				binary.LittleEndian.PutUint64(key[16:], seed)
				binary.LittleEndian.PutUint64(key[24:], i)
				n := len(w)
				w = append(w, make([]float32, t.Size())...)
				t.Init(rand.New(rand.NewChaCha8(key)), w[n:])
			}
			i++
		}
	}
	return w
}

// pack lays out weights for the graphs.
func (e *Engine) pack(weights []float32) error {
	if len(weights) != e.size {
		return fmt.Errorf("%d weights; %s has %d", len(weights), e.arch.name, e.size)
	}
	if len(e.frozen) > 0 && !e.given {
		return fmt.Errorf("the frozen weights of %s have not been set", e.arch.name)
	}
	e.eachParam(func(i int, p *op.Param, flat, _ int) {
		p.Pack(e.packed[i], weights[flat:][:p.Size()])
	})
	return nil
}

// eachParam calls do once for each parameter, with where it begins in the flat
// vector and in a packed sum, from several goroutines at once. The last ones,
// which are the largest as a rule, come first.
func (e *Engine) eachParam(do func(i int, p *op.Param, flat, packed int)) {
	flat, packed := make([]int, len(e.params)), make([]int, len(e.params))
	for i, p := range e.params[:len(e.params)-1] {
		flat[i+1], packed[i+1] = flat[i]+p.Size(), packed[i]+p.Packed()
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(e.threads, len(e.params)) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(e.params); i = int(next.Add(1)) - 1 {
				p := len(e.params) - 1 - i
				do(p, e.params[p], flat[p], packed[p])
			}
		})
	}
	wg.Wait()
}

// imagesAtOnce is the number of images for graphs like m, which takes one.
func imagesAtOnce(m *machine) int {
	perImage := m.backwardFloats - int64(m.stride) // whose gradients views share
	if n := groupFloats / max(1, perImage); n > 1 {
		return int(min(groupImages, n))
	}
	return int(max(1, min(2, pairFloats/perImage)))
}

// shapeFor chooses a shape for K views: as many views of an example at once as
// divide K evenly and fit, and then as many examples.
func (e *Engine) shapeFor(views int) shape {
	v := min(views, e.images)
	for views%v != 0 {
		v--
	}
	return shape{max(1, e.images/v), v, views == 1}
}

// chunksPerBatch is how many chunks even a small batch is cut into, so that
// each of a few threads has some.
const chunksPerBatch = 8

// chunkSize is how many of b's examples make one term of the sum of gradients.
// It must not depend on the number of threads, since it decides how floats are
// added.
func (e *Engine) chunkSize(b dpsgd.Batch) int {
	return max(e.shapeFor(b.Views).examples, min(groupImages/b.Views, b.Len/chunksPerBatch), 1)
}

// workers returns a machine for each worker.
func (e *Engine) workers(s shape, n int) ([]*machine, error) {
	ms := e.machines[s]
	for len(ms) < n {
		m, err := newMachine(e.arch, e.in, s)
		if err == nil {
			err = m.use(e.values)
		}
		if err != nil {
			return nil, err
		}
		ms = append(ms, m)
		e.machines[s] = ms
	}
	return ms[:n], nil
}

// ClippedSum adds to sum the clipped gradients of b's examples; see
// [dpsgd.Engine]. It holds one packed sum and one graph per thread, whatever
// the size of b.
func (e *Engine) ClippedSum(ctx context.Context, weights []float32, b dpsgd.Batch, clip float64, sum []float32) (dpsgd.GradStats, error) {
	return e.SumClipped(ctx, weights, b, dpsgd.Clipping{Kind: flat, Norm: clip}, sum)
}

// The kinds of clipping, spelled as in trials.
const (
	flat      = ""
	automatic = "automatic"
	perLayer  = "per-layer"
)

// SumClipped is ClippedSum by any kind of [dpsgd.Clipping]; see
// [dpsgd.Clipper]. Layers are those of [dpsgd.Layers].
func (e *Engine) SumClipped(ctx context.Context, weights []float32, b dpsgd.Batch, by dpsgd.Clipping, sum []float32) (dpsgd.GradStats, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.checkCall(b, by, sum); err != nil {
		return dpsgd.GradStats{}, err
	}
	if err := e.pack(weights); err != nil {
		return dpsgd.GradStats{}, err
	}
	size := e.chunkSize(b)
	chunks := (b.Len + size - 1) / size
	ms, err := e.workers(e.shapeFor(b.Views), min(e.threads, chunks))
	if err != nil {
		return dpsgd.GradStats{}, err
	}
	c := e.newClipping(b, by, chunks)
	var wg sync.WaitGroup
	for _, m := range ms {
		wg.Go(func() { c.work(ctx, c.newWorker(m)) })
	}
	wg.Wait()
	if c.order.err != nil {
		e.machines = map[shape][]*machine{} // one of them may be left half-way
		return dpsgd.GradStats{}, c.order.err
	}
	if c.total != nil {
		e.eachParam(func(i int, p *op.Param, flat, packed int) {
			p.Unpack(e.packed[i], c.total[packed:][:p.Packed()], sum[flat:][:p.Size()])
		})
	}
	return c.stats, nil
}

func (e *Engine) checkCall(b dpsgd.Batch, by dpsgd.Clipping, sum []float32) error {
	switch {
	case len(sum) != e.size:
		return fmt.Errorf("sum of %d numbers; %s has %d weights", len(sum), e.arch.name, e.size)
	case b.Views < 1 || b.Len < 0:
		return fmt.Errorf("batch of %d examples with %d views each", b.Len, b.Views)
	case by.Kind != flat && by.Kind != automatic && by.Kind != perLayer:
		return fmt.Errorf("clipping %q is not flat, %s or %s", string(by.Kind), automatic, perLayer)
	case by.Kind != automatic && (!(by.Norm > 0) || math.IsInf(by.Norm, 1)):
		return fmt.Errorf("clipping norm %v is not positive and finite", by.Norm)
	}
	return nil
}

// newClipping prepares the sum over b.
func (e *Engine) newClipping(b dpsgd.Batch, by dpsgd.Clipping, chunks int) *clipping {
	c := &clipping{
		engine: e, batch: b, by: by, block: make([]int, len(e.params)), blocks: 1,
		chunkSize: e.chunkSize(b), order: newOrder(chunks),
		stats: dpsgd.GradStats{Norms: make([]float64, b.Len), Losses: make([]float64, b.Len)},
	}
	c.sums = e.spareSums(sumsFor(min(e.threads, chunks)))
	if by.Kind == perLayer {
		c.block, c.blocks = e.layers()
	}
	if by.Kind != flat {
		c.stats.Clipped = make([]bool, b.Len)
	}
	return c
}

// sumsFor is how many packed sums so many workers need: one each, one that the
// others are added to, and where there are several workers some that wait for
// an earlier chunk while their worker goes on.
func sumsFor(workers int) int {
	if workers < 2 {
		return 2 * workers
	}
	return workers + 1 + (workers+3)/4
}

// spareSums returns n packed sums, of any content.
func (e *Engine) spareSums(n int) chan []float32 {
	for len(e.sums) < n {
		e.sums = append(e.sums, kernel.Alloc(e.stride))
	}
	sums := make(chan []float32, n)
	for _, s := range e.sums[:n] {
		sums <- s
	}
	return sums
}

// layers numbers the layer of each parameter; see [dpsgd.Layers]. The tensors
// of a parameter are of one layer.
func (e *Engine) layers() (layer []int, n int) {
	ofTensor, n := dpsgd.Layers(e.Tensors())
	for _, p := range e.params {
		layer = append(layer, ofTensor[0])
		ofTensor = ofTensor[len(p.Tensors):]
	}
	return layer, n
}
