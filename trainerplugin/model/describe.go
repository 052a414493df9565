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
func Describe(name string, in Input, views, threads int) (Description, error) {
	e, err := New(name, in, threads)
	if err != nil {
		return Description{}, err
	}
	if views < 1 {
		views = 1
	}
	train, err := newMachine(e.arch, in, shapeFor(views))
	if err != nil {
		return Description{}, err
	}
	evaluate, err := newMachine(e.arch, in, shape{imagesAtOnce, 1})
	if err != nil {
		return Description{}, err
	}
	floats := train.backwardFloats + int64(e.stride)
	if train.Group.Views != 1 {
		floats += evaluate.forwardFloats
	}
	packed := 3 * int64(e.stride) // the weights, the same turned, and the total
	return Description{
		About:       e.arch.about,
		Parameters:  int64(e.size),
		Multiplies:  train.Cost.Forward,
		ExampleFLOP: 2 * (train.Cost.Forward + train.Cost.Backward),
		Microbatch:  train.Group.Examples,
		MemoryBytes: 4 * (int64(threads)*floats + packed),
	}, nil
}
