package strategy

import "math"

// TAN searches with stand-ins that have a Scale-th of the batch and of the noise,
// and one view, and confirms the best in full: what noise does to training
// depends on the ratio of the two and on the number of steps, not on the batch
// itself (Sander, Stock, Sablayrolles 2023, TAN without a burn, ICML,
// arXiv:2210.03403). A stand-in costs a Scale-th of the work, and is not private
// in any useful sense.
type TAN struct {
	Space   Space
	Trials  int // stand-ins; 0 is all points of a space of listed values
	Scale   float64
	Confirm int // of them, run in full
	Seed    uint64
	Memory  *Memory
}

// Most is the number of asks.
func (s TAN) Most() int { return len(s.search()) + s.Confirm }

// search are the points to be searched.
func (s TAN) search() []Ask {
	if s.Memory != nil && s.Memory.searched != nil {
		return s.Memory.searched
	}
	var asks []Ask
	if all := s.Space.size(); s.Trials == 0 || float64(s.Trials) >= all {
		asks, _ = Grid{s.Space}.Next(nil, int(min(all, 1e6)))
	} else {
		asks, _ = Sobol{s.Space, s.Trials, s.Seed}.Next(nil, s.Trials)
	}
	for i := range asks {
		asks[i].Scale = s.Scale
	}
	if s.Memory != nil {
		s.Memory.searched = asks
	}
	return asks
}

func (s TAN) Next(tried []Tried, n int) ([]Ask, bool) {
	var searched, confirmed visited
	var proxies []int
	waits := false
	for i, t := range tried {
		if t.Scale > 1 {
			searched.add(t.At)
			proxies = append(proxies, i)
			waits = waits || !t.Done
		} else {
			confirmed.add(t.At)
		}
	}
	var asks []Ask
	if s.Trials == 0 || searched.n < s.Trials {
		for _, a := range s.search() {
			if len(asks) == n {
				break
			}
			if !searched.has(a.At) {
				asks = append(asks, a)
			}
		}
	}
	if len(asks) > 0 || waits {
		return asks, false
	}
	sc := scoresOf(len(proxies), func(j int) *Tried { return &tried[proxies[j]] })
	for confirmed.n < s.Confirm && len(asks) < n {
		i, _ := leader(sc, func(j int) bool { return math.IsInf(sc[j], -1) || confirmed.has(tried[proxies[j]].At) })
		if i < 0 {
			break
		}
		at := tried[proxies[i]].At
		confirmed.add(at)
		asks = append(asks, Ask{At: at})
	}
	return asks, len(asks) == 0
}
