package privacy

import "math"

// A phase is one step that was made several times. The cost of an event is
// the composition of its phases.
type phase struct {
	step  Event // of one step, one release, …
	times int   // ≥ 1
}

// phases takes e apart, merges equal steps and drops those that touch no data.
// The order is that of first appearance.
func phases(e Event) []phase {
	var list []phase
	at := make(map[any]int)
	collect(e, func(step Event, times int) {
		if times == 0 {
			return
		}
		key := identity(step)
		if i, ok := at[key]; ok {
			list[i].times += min(times, math.MaxInt-list[i].times) // so many that it makes no difference
			return
		}
		at[key] = len(list)
		list = append(list, phase{step, times})
	})
	return list
}

// identity is equal for equal steps. Those that hold other events, which may
// be lists, are known by their JSON form.
func identity(step Event) any {
	switch step.(type) {
	case Select, Subset, OneOf:
		if form, err := MarshalEvent(step); err == nil {
			return string(form)
		}
	}
	return step
}

// collect calls add with the steps of e, each reduced to a single one.
func collect(e Event, add func(step Event, times int)) {
	var n int
	switch e := e.(type) {
	case Composed:
		for _, part := range e {
			collect(part, add)
		}
	case DPSGD:
		n, e.Steps = e.Steps, 1
		if e.SampleRate > 0 {
			add(e, n)
		}
	case TruncatedPoisson:
		n, e.Steps = e.Steps, 1
		if e.SampleRate > 0 {
			add(e, n)
		}
	case Select, OneOf:
		add(e, 1)
	case Subset:
		if e.Rate > 0 {
			add(e, 1)
		}
	case FixedSize:
		n, e.Steps = e.Steps, 1
		add(e, n)
	case Gaussian:
		add(Gaussian{e.Noise, 1}, e.Count)
	case Shuffled:
		add(Gaussian{e.Noise, 1}, e.Epochs)
	case Laplace:
		add(Laplace{e.Scale, 1}, e.Count)
	case RandomizedResponse:
		n, e.Count = e.Count, 1
		add(e, n)
	}
}
