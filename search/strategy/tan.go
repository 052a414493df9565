package strategy

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
}

// Most is the number of asks.
func (s TAN) Most() int { return len(s.search()) + s.Confirm }

// search are the points to be searched.
func (s TAN) search() []Ask {
	var asks []Ask
	if all := s.Space.size(); s.Trials == 0 || float64(s.Trials) >= all {
		asks, _ = Grid{s.Space}.Next(nil, int(min(all, 1e6)))
	} else {
		asks, _ = Sobol{s.Space, s.Trials, s.Seed}.Next(nil, s.Trials)
	}
	for i := range asks {
		asks[i].Scale = s.Scale
	}
	return asks
}

func (s TAN) Next(tried []Tried, n int) ([]Ask, bool) {
	searched, confirmed := visited{}, visited{}
	var proxies []Tried
	for _, t := range tried {
		if t.Scale > 1 {
			searched.add(t.At)
			proxies = append(proxies, t)
		} else {
			confirmed.add(t.At)
		}
	}
	var asks []Ask
	if s.Trials == 0 || len(searched) < s.Trials {
		for _, a := range s.search() {
			if !searched.has(a.At) && len(asks) < n {
				asks = append(asks, a)
			}
		}
	}
	if len(asks) > 0 || running(proxies) {
		return asks, false
	}
	left := s.Confirm - len(confirmed)
	for _, i := range ranked(scores(proxies)) {
		if left <= 0 || len(asks) == n {
			break
		}
		if _, ok := proxies[i].Value(); ok && confirmed.add(proxies[i].At) {
			asks = append(asks, Ask{At: proxies[i].At})
			left--
		}
	}
	return asks, len(asks) == 0
}
