package results

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"testing"

	"sweep"
	"sweep/privacy"
)

// world is a machine room with trainers that crash, hang, come back from the dead
// and repeat themselves, and the only one who knows what they really noised.
type world struct {
	t       *testing.T
	s       *Store
	prices  priceList
	r       *rand.Rand
	budget  Budget
	sweeps  []sweep.SweepID
	trials  []sweep.Params
	workers []*worker
	ckpt    map[sweep.TrialID]checkpoint
	done    map[sweep.TrialID]bool
	spools  map[sweep.TrialID]map[int]*worker // by attempt; gone when the trial is recorded
	noised  map[sweep.TrialID]map[string]int  // furthest step of each stream that was reported
	streams int
	seen    struct{ zombies, denied, waited, fenced, resumed int }
}

type checkpoint struct {
	stream string
	step   int
}

// A worker runs one attempt. What it reports lies in its spool until collected.
type worker struct {
	ref sweep.AttemptRef
	p   sweep.Params
	checkpoint
	from      int
	alive     bool
	ended     bool // the record was told, or took it so
	lines     []int
	collected int
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{
		t: t, s: openTemp(t), prices: priceList{}, r: rand.New(rand.NewPCG(seed, 99)), ckpt: map[sweep.TrialID]checkpoint{}, done: map[sweep.TrialID]bool{},
		spools: map[sweep.TrialID]map[int]*worker{}, noised: map[sweep.TrialID]map[string]int{},
	}
	all := grid(2)
	for _, tr := range all {
		w.trials = append(w.trials, tr.Params)
		w.noised[tr.Params.ID()], w.spools[tr.Params.ID()] = map[string]int{}, map[int]*worker{}
	}
	add(t, w.s, file("a"), all[:8]) // four trials are in both
	add(t, w.s, file("b"), all[4:])
	w.sweeps = []sweep.SweepID{file("a").ID, file("b").ID}
	// Room for some three to nine of the twelve trials.
	kinds := map[kindOfStep]int{{256. / 2000, 0.8}: 10 * (1 + w.r.IntN(4)), {256. / 2000, 2}: 10 * (2 + w.r.IntN(5))}
	w.budget = Budget{Epsilon: Epsilon(priceTogether(kinds, nil, delta) * (1 + w.r.Float64()/10)), Delta: delta}
	if err := w.s.SetBudget(t.Context(), "glyphs", w.budget); err != nil {
		t.Fatal(err)
	}
	return w
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// act does one thing that happens in machine rooms.
func (w *world) act() {
	switch n := w.r.IntN(100); {
	case n < 22 || len(w.workers) == 0:
		w.begin(pick(w.r, w.sweeps), pick(w.r, w.trials))
	case n < 66:
		w.anyone().step(w)
	case n < 74:
		k := w.anyone()
		if k.alive && k.step0() > 0 {
			w.ckpt[k.ref.Trial] = k.checkpoint
		}
	case n < 78:
		w.anyone().alive = false // crash; nobody knows yet
	case n < 84:
		w.end(pick(w.r, w.workers))
	case n < 97:
		for _, k := range w.workers {
			w.record(k)
		}
	default:
		id := pick(w.r, w.sweeps)
		state := Running
		if w.r.IntN(2) == 0 {
			state = Stopped // whoever it left behind may be evicted
		}
		w.must(w.s.SetSweepState(w.t.Context(), id, state, ""))
	}
}

// anyone is a worker, one that is alive if it can be had quickly.
func (w *world) anyone() *worker {
	for range 5 {
		if k := pick(w.r, w.workers); k.alive {
			return k
		}
	}
	return pick(w.r, w.workers)
}

func (k *worker) step0() int { return k.checkpoint.step }

// collect takes over what the attempt has reported, as the record's activities do.
func (w *world) collect(k *worker) {
	if len(k.lines) == k.collected || w.spools[k.ref.Trial][k.ref.Number] != k {
		return
	}
	r := sweep.Reading{From: int64(k.collected), Offset: int64(len(k.lines)), Step: k.lines[len(k.lines)-1]}
	if k.collected == 0 {
		r.Started, r.FromStep, r.NoiseID = true, k.from, k.stream
	}
	k.collected = len(k.lines)
	w.must(w.s.Collect(w.t.Context(), k.ref, r), sweep.ErrFenced)
	if w.r.IntN(3) == 0 { // a duplicate
		w.must(w.s.Collect(w.t.Context(), k.ref, r), sweep.ErrFenced)
	}
}

func (w *world) must(err error, or ...error) {
	w.t.Helper()
	for _, e := range or {
		if errors.Is(err, e) {
			w.seen.fenced++
			return
		}
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) begin(id sweep.SweepID, p sweep.Params) {
	for _, k := range w.spools[p.ID()] {
		w.collect(k)
	}
	c, err := w.s.Begin(w.t.Context(), id, p.ID())
	if errors.Is(err, sweep.ErrNotFound) {
		return // the other sweep's
	}
	w.must(err)
	switch {
	case c.Denied != "":
		w.seen.denied++
	case c.Wait != "":
		w.seen.waited++
	}
	if c.State != sweep.Running {
		return
	}
	for _, old := range w.workers {
		if old.ref.Trial == p.ID() {
			if old.alive {
				w.seen.zombies++
			}
			old.ended = true
		}
	}
	k := &worker{ref: sweep.AttemptRef{Sweep: id, Trial: p.ID(), Number: c.Attempt}, p: p, alive: true}
	if at, ok := w.ckpt[p.ID()]; ok && w.r.IntN(4) > 0 {
		k.checkpoint, k.from = at, at.step
		w.seen.resumed++
	} else {
		w.streams++
		k.stream = fmt.Sprint("stream ", w.streams)
	}
	w.spools[p.ID()][c.Attempt] = k
	w.workers = append(w.workers, k)
}

// step makes some steps and reports them, whoever thinks that it is dead.
func (k *worker) step(w *world) {
	if !k.alive || k.checkpoint.step >= k.p.Steps {
		return
	}
	k.checkpoint.step = min(k.p.Steps, k.checkpoint.step+1+w.r.IntN(6))
	if w.spools[k.ref.Trial][k.ref.Number] != k {
		return // its folder was cleared: this leaves no trace
	}
	k.lines = append(k.lines, k.checkpoint.step)
	of := w.noised[k.ref.Trial]
	of[k.stream] = max(of[k.stream], k.checkpoint.step)
	if w.r.IntN(2) == 0 {
		w.collect(k)
	}
}

// end tells the record that the attempt is over: rightly, or because its worker
// was silent for too long and may yet speak.
func (w *world) end(k *worker) {
	w.collect(k)
	e := sweep.Ending{Failure: pick(w.r, []sweep.Failure{sweep.Crashed, sweep.Lost, sweep.Cancelled}), Next: sweep.Pending}
	switch {
	case e.Failure == sweep.Lost:
		e.Dead = !k.alive && w.r.IntN(2) == 0
		if k.alive {
			w.seen.zombies++
		}
	default:
		k.alive = false
	}
	for range 1 + w.r.IntN(2) {
		w.must(w.s.EndAttempt(w.t.Context(), k.ref, e), sweep.ErrFenced, sweep.ErrConflict)
	}
	k.ended = true
}

func (w *world) record(k *worker) {
	if k.checkpoint.step < k.p.Steps || w.spools[k.ref.Trial][k.ref.Number] != k {
		return
	}
	if len(k.lines) == 0 { // it says where it starts before all else
		k.lines = append(k.lines, k.from)
	}
	w.collect(k)
	o := outcomeOf(k.p, 0.5)
	for range 1 + w.r.IntN(2) {
		err := w.s.Record(w.t.Context(), k.ref, o)
		w.must(err, sweep.ErrFenced)
		if err == nil {
			w.done[k.ref.Trial] = true
			for _, other := range w.spools[k.ref.Trial] {
				w.collect(other)
			}
			w.spools[k.ref.Trial] = map[int]*worker{}
		}
	}
	k.alive = false
}

// truth is every step that was really noised and left a trace, by kind.
func (w *world) truth() map[kindOfStep]int {
	all := map[kindOfStep]int{}
	for _, p := range w.trials {
		n := 0
		for _, furthest := range w.noised[p.ID()] {
			n += furthest
		}
		if n > 0 {
			all[kindOfStep{p.SampleRate(), p.Noise}] += n
		}
	}
	return all
}

func (w *world) check(op int, collected bool) {
	w.t.Helper()
	truth := w.truth()
	accounts, err := w.s.Accounts(w.t.Context(), "glyphs", delta)
	w.must(err)
	at := accounts[0]
	if at.Reserved > w.budget.Epsilon {
		w.t.Fatalf("op %d: what is spent and reserved costs %v, the budget is %v", op, at.Reserved, w.budget.Epsilon)
	}
	var events privacy.Composed
	for k, n := range truth {
		events = append(events, k.times(n))
	}
	really, err := privacy.Certified.Epsilon(events, delta)
	w.must(err)
	if really > float64(w.budget.Epsilon) {
		w.t.Fatalf("op %d: what was noised costs %v, the budget is %v", op, really, w.budget.Epsilon)
	}
	if !collected {
		return
	}
	done, err := readSpending(w.t.Context(), w.s.db, at.key)
	w.must(err)
	if made := done.counts(false); !maps.Equal(made, truth) || math.Abs(float64(at.Spent)-really) > 1e-9*really {
		w.t.Fatalf("op %d: the ledger has %v at %v; really noised were %v at %v", op, made, at.Spent, truth, really)
	}
	tx, err := w.s.db.BeginTx(w.t.Context(), nil)
	w.must(err)
	v := &verifier{tx: tx, prices: w.prices, found: func(f Finding) { w.t.Errorf("op %d: %s: %s", op, f.Where, f.What) }}
	w.must(errors.Join(v.trials(w.t.Context()), v.laws(w.t.Context()), v.sums(w.t.Context()), tx.Rollback()))
}

// Under random crashes, retries, duplicates and attempts back from the dead, the
// ledger's total is the composition of the steps really noised, and neither
// that nor what is reserved ever exceeds the budget.
func TestLedgerIsTrueWhateverHappens(t *testing.T) {
	var zombies, denied, waited, fenced, resumed, completed int
	for seed := range uint64(6) {
		w := newWorld(t, seed)
		for op := range 120 {
			w.act()
			if op%10 == 9 {
				for _, of := range w.spools {
					for _, k := range of {
						w.collect(k)
					}
				}
				w.check(op, true)
			} else if op%5 == 0 {
				w.check(op, false)
			}
		}
		zombies, denied, waited = zombies+w.seen.zombies, denied+w.seen.denied, waited+w.seen.waited
		fenced, resumed, completed = fenced+w.seen.fenced, resumed+w.seen.resumed, completed+len(w.done)
	}
	if zombies == 0 || denied == 0 || waited == 0 || fenced == 0 || resumed == 0 || completed < 6 {
		t.Errorf("zombies %d, denied %d, waited %d, fenced %d, resumed %d, completed %d: each must occur for the test to mean anything",
			zombies, denied, waited, fenced, resumed, completed)
	}
}

// Two processes that claim from two sweeps at once stay within the budget
// together, and use it up.
func TestConcurrentSweepsCannotOverspend(t *testing.T) {
	s := openTemp(t)
	all := grid(8)
	add(t, s, file("a"), all[:24])
	add(t, s, file("b"), all[24:])
	budget := Budget{Epsilon: Epsilon(priceTogether(map[kindOfStep]int{{256. / 2000, 0.8}: 75}, nil, delta)), Delta: delta}
	if err := s.SetBudget(t.Context(), "glyphs", budget); err != nil {
		t.Fatal(err)
	}
	path := scalar[string](t, s, `SELECT file FROM pragma_database_list WHERE name = 'main'`)
	other, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	claimAll := func(s *Store, id sweep.SweepID, trials []TrialRecord) (n int, err error) {
		for _, tr := range trials {
			c, err := s.Begin(context.WithoutCancel(t.Context()), id, tr.Params.ID())
			if err != nil {
				return n, err
			}
			if c.State == sweep.Running {
				n++
			}
		}
		return n, nil
	}
	type answer struct {
		n   int
		err error
	}
	answers := make(chan answer, 2)
	for _, c := range []struct {
		s      *Store
		id     sweep.SweepID
		trials []TrialRecord
	}{{s, file("a").ID, all[:24]}, {other, file("b").ID, all[24:]}} {
		go func() {
			n, err := claimAll(c.s, c.id, c.trials)
			answers <- answer{n, err}
		}()
	}
	a, b := <-answers, <-answers
	if err := errors.Join(a.err, b.err); err != nil {
		t.Fatal(err)
	}
	accounts, err := s.Accounts(t.Context(), "glyphs", delta)
	if err != nil {
		t.Fatal(err)
	}
	if at := accounts[0]; at.Reserved > budget.Epsilon || at.Held != 10*(a.n+b.n) || a.n+b.n < 7 {
		t.Errorf("%d and %d claimed, %v of %v reserved; want at least 7 and no more than fits", a.n, b.n, at.Reserved, budget.Epsilon)
	}
}
