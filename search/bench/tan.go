package main

import (
	"context"
	"fmt"
	"io"
	"math"

	"sweep/search/strategy"
)

// The grid of TAN: a batch that the first grid does not have, at one epsilon.
var (
	tanSteps = []int{50, 100, 200}
	tanEMA   = []float64{0, 0.9, 0.99}
)

const (
	tanEpsilon = 1
	tanBatch   = 2048

	// One training of a point says little about it, and many points are nearly
	// as good as the best: those whose first training is within tanNear of the
	// best one are trained tanRepeats times.
	tanNear    = 0.012
	tanRepeats = 8
)

// hunts are the searches that are measured: as many stand-ins as cost, with the
// confirming run, less than a fiftieth of the grid. How TAN chooses among
// stand-ins was chosen on those of the first seeds; the others are new to it.
var hunts = []hunt{{scale: 16, standIns: 38}, {scale: 16, standIns: 38, from: seeds}}

// A hunt is what TAN found with so many stand-ins, over [seeds] seeds.
type hunt struct {
	scale, standIns int
	from            int     // the first of its seeds
	search, confirm float64 // mean examples seen, as a share of what training every point in full sees
	found           curve
	near            int // seeds that end less than one training's standard deviation below the best
	neighbours      int // at the best or next to it on every axis
	lucky           int // the same, if the stand-in that measured most were confirmed
}

// tanGrid are all points in full, each once.
func tanGrid() (rows []row) {
	for _, ema := range tanEMA {
		rows = append(rows, grid(row{Epsilon: tanEpsilon, Batch: tanBatch, EMA: ema, Scale: 1}, tanSteps)...)
	}
	return rows
}

// inFull is every point of TAN's grid with the mean of its trainings, and the
// standard deviation of a single one, pooled over the points that have several.
func inFull(ctx context.Context, t *table) (rows []row, σ float64, err error) {
	rows = tanGrid()
	repeats := make([][]float64, len(rows))
	more := func(i, upTo int) {
		for r := len(repeats[i]); r < upTo && err == nil; r++ {
			one := rows[i]
			one.Repeat = r
			if err = t.fill(ctx, &one); err == nil {
				repeats[i] = append(repeats[i], one.Accuracy)
			}
		}
	}
	top := 0.0
	for i := range rows {
		if more(i, 1); err != nil {
			return nil, 0, err
		}
		top = max(top, repeats[i][0])
	}
	for i := range rows {
		if repeats[i][0] >= top-tanNear {
			more(i, tanRepeats)
		}
		if err != nil {
			return nil, 0, err
		}
	}
	sum, free := 0.0, 0
	for i := range rows {
		rows[i].Accuracy = mean(repeats[i])
		for _, a := range repeats[i] {
			sum += (a - rows[i].Accuracy) * (a - rows[i].Accuracy)
		}
		free += len(repeats[i]) - 1
	}
	return rows, math.Sqrt(sum / float64(free)), nil
}

func mean(x []float64) (m float64) {
	for _, v := range x {
		m += v / float64(len(x))
	}
	return m
}

func (r row) tanAxes() []float64 { return []float64{r.Learn, float64(r.Steps), r.Clip, r.EMA} }

// scaled runs TAN with stand-ins that each seed trains anew, and looks the point
// that it confirms up in the table in full.
func scaled(ctx context.Context, w io.Writer, t *table) error {
	rows, σ, err := inFull(ctx, t)
	if err != nil {
		return err
	}
	full := newSurface(rows, row.tanAxes)
	around := 0
	for _, r := range rows {
		if full.nextToBest(r.tanAxes()) {
			around++
		}
	}
	fmt.Fprintf(w, "`tan` at batch %d, ε = %d, against training all %d points in full. Best %.2f %%, at η = %g, T = %g, C = %g, μ = %g; two trainings of a point differ by a standard deviation of %.2f:\n\n",
		tanBatch, tanEpsilon, len(rows), 100*full.best(), full.top[0], full.top[1], full.top[2], full.top[3], 100*σ)
	fmt.Fprintln(w, "| k | stand-ins | seeds | search | the confirming run | together | missing | within that deviation of the best | at the best or next to it on each axis | if the luckiest were confirmed |")
	fmt.Fprintln(w, "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
	for _, h := range hunts {
		for i := range seeds {
			if err := h.seed(ctx, t, full, h.from+i, σ); err != nil {
				return err
			}
		}
		m, half := h.found.meanAt(1, full.best())
		fmt.Fprintf(w, "| %d | %d | %d to %d | 1/%.0f | 1/%.0f | 1/%.1f | %.2f ± %.2f | %s | %s | %s |\n",
			h.scale, h.standIns, h.from, h.from+seeds-1, 1/h.search, 1/h.confirm, 1/(h.search+h.confirm), m, half, share(h.near), share(h.neighbours), share(h.lucky))
	}
	fmt.Fprintf(w, "\nIn brackets 95 %% intervals by Wilson. Of the %d points, %d are at the best or next to it.\n", len(rows), around)
	return nil
}

// seed runs one seed's search.
func (h *hunt) seed(ctx context.Context, t *table, full *surface, seed int, σ float64) error {
	st := strategy.TAN{Space: full.space(), Trials: h.standIns, Scale: float64(h.scale), Confirm: 1, Seed: uint64(seed), Memory: new(strategy.Memory)}
	all, most := 0.0, 0.0
	for _, c := range full.cost {
		all += c
	}
	var tried []strategy.Tried
	var lucky []float64
	for {
		asks, done := st.Next(tried, 1)
		if done || len(asks) == 0 {
			break
		}
		x := full.values(asks[0].At)
		cost := tanBatch * x[1] / all / seeds
		if asks[0].Scale <= 1 {
			h.confirm += cost
			h.found = append(h.found, []float64{full.accuracy[fmt.Sprint(x)]})
			if full.best()-full.accuracy[fmt.Sprint(x)] < σ {
				h.near++
			}
			if full.nextToBest(x) {
				h.neighbours++
			}
			tried = append(tried, strategy.Tried{Ask: asks[0], Done: true, Values: []float64{0}})
			continue
		}
		h.search += cost / float64(h.scale)
		one := row{tanEpsilon, tanBatch, x[0], int(x[1]), x[2], x[3], h.scale, seed, 0, 0}
		if err := t.fill(ctx, &one); err != nil {
			return err
		}
		if one.Accuracy > most {
			most, lucky = one.Accuracy, x
		}
		tried = append(tried, strategy.Tried{Ask: asks[0], Done: true, Values: []float64{one.Accuracy}})
	}
	if full.nextToBest(lucky) {
		h.lucky++
	}
	return nil
}

// share is a count of the seeds with the 95 % interval of its share (Wilson 1927,
// JASA 22).
func share(k int) string {
	const z = 1.959964
	n, p := float64(seeds), float64(k)/seeds
	centre := (p + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	return fmt.Sprintf("%d of %d (%.0f to %.0f %%)", k, seeds, 100*(centre-half), 100*(centre+half))
}
