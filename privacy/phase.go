package privacy

// A phase is one step that was made several times. The cost of an event is
// the composition of its phases.
type phase struct {
	step  Event // a [DPSGD] of one step
	times int   // ≥ 1
}

// phases takes e apart, merges equal steps and drops those that touch no data.
// The order is that of first appearance.
func phases(e Event) []phase {
	var list []phase
	at := make(map[Event]int)
	collect(e, 1, func(step Event, times int) {
		if i, ok := at[step]; ok {
			list[i].times += times
			return
		}
		at[step] = len(list)
		list = append(list, phase{step, times})
	})
	return list
}

func collect(e Event, times int, add func(step Event, times int)) {
	switch e := e.(type) {
	case Composed:
		for _, part := range e {
			collect(part, times, add)
		}
	case DPSGD:
		if n := times * e.Steps; n > 0 && e.SampleRate > 0 {
			e.Steps = 1
			add(e, n)
		}
	}
}
