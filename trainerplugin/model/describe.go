package model

// A Description is what an architecture needs, for one kind of input.
type Description struct {
	About       string // one line: what it is and where it comes from
	Parameters  int64  // trained weights
	Multiplies  int64  // multiply-adds of one view, forward
	ExampleFLOP int64  // floating-point operations of one view, forward and backward; a multiply-add is two
	Microbatch  int    // examples that one thread works on at once
	MemoryBytes int64  // what the engine allocates when it trains, evaluation included
}

// Describe says what training the named architecture needs with the given
// views per example and threads. Its errors are those of [New].
func Describe(name string, in Input, views, threads int, options ...Option) (Description, error) {
	e, err := New(name, in, threads, options...)
	if err != nil {
		return Description{}, err
	}
	train, err := newMachine(e.arch, in, e.shapeFor(max(1, views)))
	if err != nil {
		return Description{}, err
	}
	perThread := train.backwardFloats + train.scratch
	if train.Group.Views > 1 {
		evaluate, err := newMachine(e.arch, in, shape{e.images, 1, true})
		if err != nil {
			return Description{}, err
		}
		perThread += evaluate.forwardFloats + evaluate.scratch
	}
	shared := int64(sumsFor(threads)) * int64(e.stride)
	for _, p := range e.all {
		shared += int64(p.Held())
	}
	return Description{
		About:       e.arch.about,
		Parameters:  int64(e.size),
		Multiplies:  train.forwardMultiplies,
		ExampleFLOP: 2 * train.backwardMultiplies,
		Microbatch:  train.Group.Examples,
		MemoryBytes: 4 * (int64(threads)*perThread + shared),
	}, nil
}
