package main

import (
	"strconv"
	"sync"

	"sweep/privacy"
)

// prices remembers what events cost, since trials of a sweep often differ in
// nothing that accounting knows. It may be used by several goroutines; one that
// asks for what another computes waits for it.
type prices struct {
	mu    sync.Mutex
	known map[string]func() (price, error)
}

// mostPrices bounds what is remembered, some tens of megabytes.
const mostPrices = 100_000

// epsilon is ε at delta.
func (p *prices) epsilon(by privacy.Accountant, q privacy.Question, delta float64) (price, error) {
	return p.once(by, q, "δ", delta, func() (price, error) {
		return priceOf(
			func() (privacy.Bracket, error) { return by.EpsilonBracketOf(q, delta) },
			func() (float64, error) { return by.EpsilonOf(q, delta) }, by)
	})
}

// delta is δ at epsilon.
func (p *prices) delta(by privacy.Accountant, q privacy.Question, epsilon float64) (price, error) {
	return p.once(by, q, "ε", epsilon, func() (price, error) {
		return priceOf(
			func() (privacy.Bracket, error) { return by.DeltaBracketOf(q, epsilon) },
			func() (float64, error) { return by.DeltaOf(q, epsilon) }, by)
	})
}

func (p *prices) once(by privacy.Accountant, q privacy.Question, given string, x float64, ask func() (price, error)) (price, error) {
	form, err := privacy.MarshalEvent(q.Event)
	if err != nil {
		return price{}, err
	}
	key := string(by) + " " + string(q.Relation) + " " + given + strconv.FormatFloat(x, 'g', -1, 64) + " " + string(form)
	p.mu.Lock()
	known, ok := p.known[key]
	if !ok {
		known = sync.OnceValues(ask)
		if p.known == nil || len(p.known) >= mostPrices {
			p.known = make(map[string]func() (price, error))
		}
		p.known[key] = known
	}
	p.mu.Unlock()
	return known()
}
