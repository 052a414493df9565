package search

import (
	"encoding/json"
	"math"
	"strconv"

	"sweep/search/strategy"
)

// A space shows the axes of a sweep that vary to strategies, as the unit cube.
// It serves one goroutine.
type space struct {
	s    *Sweep
	c    *settler
	axes []int // dimension by dimension, the axis behind it
	err  error // the first mistake that an expression made; such points count as forbidden
}

func newSpace(s *Sweep) *space {
	sp := &space{s: s, c: newSettler(s)}
	for i, a := range s.axes {
		if len(a.Values) > 1 {
			sp.axes = append(sp.axes, i)
		}
	}
	return sp
}

// cube is the space as strategies know it.
func (sp *space) cube() strategy.Space {
	cube := strategy.Space{Dims: make([]strategy.Dim, len(sp.axes)), Snap: sp.snap}
	for d, i := range sp.axes {
		a := sp.s.axes[i]
		if a.Span == nil {
			cube.Dims[d] = strategy.Dim{Levels: len(a.Values), Unordered: a.unordered()}
		}
	}
	return cube
}

// snap moves p to the nearest point that a file could list, and reports whether
// the constraint lets it run.
func (sp *space) snap(p strategy.Point) (strategy.Point, bool) {
	for d, i := range sp.axes {
		sp.c.set(i, sp.s.axes[i].value(p[d]))
	}
	if !sp.settle() {
		return nil, false
	}
	q := make(strategy.Point, len(p))
	for d, i := range sp.axes {
		a := sp.s.axes[i]
		if sp.c.idle[i] {
			sp.c.set(i, a.Values[0]) // one place for all that has no effect
		}
		q[d] = a.coordinate(sp.c.base[i])
	}
	if !sp.settle() {
		return nil, false
	}
	pass, err := sp.c.pass()
	if err != nil && sp.err == nil {
		sp.err = err
	}
	return q, pass && err == nil
}

func (sp *space) settle() bool {
	err := sp.c.settle()
	if err != nil && sp.err == nil {
		sp.err = err
	}
	return err == nil
}

// values are those of all axes at p, which was snapped. The slice is reused.
func (sp *space) values(p strategy.Point) ([]any, bool) {
	_, ok := sp.snap(p)
	return sp.c.values, ok
}

// value is the value at coordinate u, which is from 0 to 1.
func (a Axis) value(u float64) any {
	if a.Span == nil {
		return a.Values[min(int(u*float64(len(a.Values))), len(a.Values)-1)]
	}
	s := *a.Span
	x := s.Min + u*(s.Max-s.Min)
	if s.Log {
		x = math.Exp(math.Log(s.Min) + u*math.Log(s.Max/s.Min))
	}
	if s.Whole {
		return int(math.Round(min(max(x, s.Min), s.Max)))
	}
	x, _ = strconv.ParseFloat(strconv.FormatFloat(x, 'g', 4, 64), 64)
	return min(max(x, s.Min), s.Max)
}

// coordinate is where a value of the axis is.
func (a Axis) coordinate(v any) float64 {
	if a.Span == nil {
		for k, w := range a.Values {
			if w == v {
				return (float64(k) + 0.5) / float64(len(a.Values))
			}
		}
		return 0
	}
	x, _ := asFloat(v)
	s := *a.Span
	if s.Log {
		return math.Log(x/s.Min) / math.Log(s.Max/s.Min)
	}
	return (x - s.Min) / (s.Max - s.Min)
}

// asked is what a record keeps of why a trial is there: enough to tell the
// strategy again, whatever else has changed.
type asked struct {
	At      map[string]string  `json:"at,omitempty"` // values of the axes that vary, in show's spelling
	Share   float64            `json:"share,omitempty"`
	Scale   float64            `json:"scale,omitempty"`
	Set     map[string]float64 `json:"set,omitempty"`
	Bracket int                `json:"bracket,omitempty"`
}

// record spells a as the record keeps it. The space has just been at a's point.
func (sp *space) record(a strategy.Ask) string {
	k := asked{Share: a.Share, Scale: a.Scale, Set: a.Set, Bracket: a.Bracket, At: make(map[string]string, len(sp.axes))}
	for _, i := range sp.axes {
		k.At[sp.s.axes[i].Name] = show(sp.c.base[i])
	}
	text, err := json.Marshal(k)
	if err != nil {
		panic("search: " + err.Error()) // strings and finite numbers
	}
	return string(text)
}

// recordOf spells a point of the grid, given by the values of all axes.
func (sp *space) recordOf(values []any) string {
	p := make(strategy.Point, len(sp.axes))
	for d, i := range sp.axes {
		p[d] = sp.s.axes[i].coordinate(values[i])
	}
	sp.snap(p)
	return sp.record(strategy.Ask{})
}

// ask reads what record wrote. It reports false if the sweep has no such point
// any more.
func (sp *space) ask(text string) (strategy.Ask, bool) {
	var k asked
	if text == "" || json.Unmarshal([]byte(text), &k) != nil || len(k.At) > len(sp.axes) {
		return strategy.Ask{}, false
	}
	a := strategy.Ask{Share: k.Share, Scale: k.Scale, Set: k.Set, Bracket: k.Bracket, At: make(strategy.Point, len(sp.axes))}
	for d, i := range sp.axes {
		v, ok := sp.s.axes[i].read(k.At[sp.s.axes[i].Name])
		if !ok {
			return strategy.Ask{}, false
		}
		a.At[d] = sp.s.axes[i].coordinate(v)
	}
	var ok bool
	a.At, ok = sp.snap(a.At)
	return a, ok
}

// read finds the axis's value of that spelling.
func (a Axis) read(text string) (any, bool) {
	if a.Span == nil {
		for _, v := range a.Values {
			if show(v) == text {
				return v, true
			}
		}
		return nil, false
	}
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || x < a.Span.Min || x > a.Span.Max {
		return nil, false
	}
	if a.Span.Whole {
		return int(x), true
	}
	return x, true
}
