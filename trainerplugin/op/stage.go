package op

import "slices"

// A stage is neighbouring calls of a program. Those that work image by image run
// for a few images at a time, so that each finds in a core's second cache what
// the one before it wrote.
type stage struct {
	calls     []call
	imagewise bool
	images    int    // at a time
	moved     window // what the calls read and write of an image, but for what they alone need
}

// stageFloats is how many numbers of images a stage works on at a time.
const stageFloats = 1 << 16

// stagesOf cuts calls into stages.
func stagesOf(g *Group, calls []call, all uses) (stages []*stage) {
	for len(calls) > 0 {
		n := 0
		for n < len(calls) && calls[n].do.imagewise {
			n++
		}
		n = max(1, n)
		within := uses{}
		within.count(calls[:n])
		stages = append(stages, newStage(g, calls[:n], func(v *Value) bool { return within[v] == all[v] }))
		calls = calls[n:]
	}
	return stages
}

// newStage is a stage of calls. Own says whether they alone need a value: all
// images, as many as are worked on at a time, then use the memory of the first.
func newStage(g *Group, calls []call, own func(*Value) bool) *stage {
	s := &stage{calls: calls, imagewise: len(calls) > 0, images: g.capacity()}
	floats := 0
	written := map[*Value]bool{}
	for _, c := range calls {
		s.imagewise = s.imagewise && c.do.imagewise
		written[c.do.out] = true
		for _, v := range append(slices.Clone(c.in), c.do.out) {
			if !written[v] || !own(v) {
				s.moved.add(v)
			}
		}
		floats += c.do.out.stride
	}
	if s.imagewise {
		s.images = max(1, min(s.images, stageFloats/floats))
	}
	return s
}

// run makes the calls for all images of this run.
func (s *stage) run(g *Group) error {
	if !s.imagewise {
		return runAll(s.calls)
	}
	for first, n := 0, g.Images(); first < n; first += s.images {
		if err := s.runSome(g, first, min(s.images, n-first)); err != nil {
			return err
		}
	}
	return nil
}

// runSome makes the calls for n images from the given one on.
func (s *stage) runSome(g *Group, first, n int) error {
	if !s.moved.ready() {
		for _, c := range s.calls {
			c.do.alloc()
		}
	}
	active, views := g.Active, g.Views
	g.Active, g.Views = n, 1
	s.moved.move(first)
	err := runAll(s.calls)
	s.moved.move(0)
	g.Active, g.Views = active, views
	return err
}

// A window is values of many images or examples, which move to make one of those
// the first.
type window struct {
	values []*Value
	mem    [][]float32 // of each, from its first image on
}

// add makes v one of the window's values, if it is one of several images.
func (w *window) add(v *Value) {
	if v.count > 1 && !slices.Contains(w.values, v) {
		w.values = append(w.values, v)
	}
}

func (w *window) ready() bool { return len(w.mem) == len(w.values) }

// move makes image i the first. The values must have their memory.
func (w *window) move(i int) {
	if !w.ready() {
		for _, v := range w.values {
			w.mem = append(w.mem, v.mem)
		}
	}
	for j, v := range w.values {
		v.mem = w.mem[j][i*v.stride:]
	}
}

// uses counts who needs each value.
type uses map[*Value]int

func (u uses) count(calls []call) {
	for _, c := range calls {
		for _, v := range c.in {
			u[v]++
		}
	}
}
