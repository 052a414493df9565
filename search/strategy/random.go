package strategy

// Random draws points uniformly and independently, none twice (Bergstra and
// Bengio 2012, JMLR 13).
type Random struct {
	Space  Space
	Trials int // points in all
	Seed   uint64
}

// Most is the number of asks.
func (s Random) Most() int { return s.Trials }

func (s Random) Next(tried []Tried, n int) ([]Ask, bool) {
	seen := visitedOf(tried)
	var asks []Ask
	for i := len(tried); i < s.Trials && len(asks) < n; i++ {
		r := seeded(s.Seed, i)
		p, ok := s.Space.fresh(seen, func() Point { return s.Space.uniform(r) })
		if !ok {
			return asks, true
		}
		asks = append(asks, Ask{At: p})
	}
	return asks, len(tried)+len(asks) >= s.Trials
}

// Grid tries every point of a space without ranges, in order.
type Grid struct{ Space Space }

// Most is the number of asks.
func (s Grid) Most() int { return len(s.Space.all()) }

func (s Grid) Next(tried []Tried, n int) ([]Ask, bool) {
	seen := visitedOf(tried)
	var asks []Ask
	for _, p := range s.Space.all() {
		if !seen.add(p) {
			continue
		}
		if len(asks) == n {
			return asks, false
		}
		asks = append(asks, Ask{At: p})
	}
	return asks, true
}
