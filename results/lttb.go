package results

import "math"

// thin chooses n of the points (x rising), the first and the last among them, so
// that the curve through them looks like the curve through all: of each of n-2
// buckets the point that spans the largest triangle with the one chosen before
// and the mean of the next bucket (Steinarsson 2013, Downsampling Time Series for
// Visual Representation, section 4.2: Largest Triangle Three Buckets).
func thin(points []Reading, n int) []Reading {
	if len(points) <= n || n < 3 {
		return points
	}
	chosen := []Reading{points[0]}
	every := float64(len(points)-2) / float64(n-2)
	for i := range n - 2 {
		from, to := 1+int(float64(i)*every), 1+int(float64(i+1)*every)
		next := mean(points[to:min(len(points), 1+int(float64(i+2)*every))])
		last := chosen[len(chosen)-1]
		best, area := points[from], -1.0
		for _, p := range points[from:to] {
			a := math.Abs(float64(last.Step-next.Step)*(p.Value-last.Value) - float64(last.Step-p.Step)*(next.Value-last.Value))
			if a > area {
				best, area = p, a
			}
		}
		chosen = append(chosen, best)
	}
	return append(chosen, points[len(points)-1])
}

func mean(points []Reading) Reading {
	steps, values := 0, 0.0
	for _, p := range points {
		steps, values = steps+p.Step, values+p.Value
	}
	n := max(1, len(points))
	return Reading{steps / n, values / float64(n)}
}
