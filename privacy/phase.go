package privacy

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
	at := make(map[Event]int)
	collect(e, func(step Event, times int) {
		if times == 0 {
			return
		}
		if i, ok := at[step]; ok {
			list[i].times += times
			return
		}
		at[step] = len(list)
		list = append(list, phase{step, times})
	})
	return list
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
