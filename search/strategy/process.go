package strategy

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/optimize"
)

// A process is a Gaussian process with a Matérn 5/2 kernel that has a length for
// each dimension, and normal noise (Rasmussen, Williams 2006, §2.2, eq. 4.17).
// Values are standardised: mean 0, standard deviation 1.
type process struct {
	dims  []Dim
	x     []Point
	mean  float64 // of the values, before standardising
	scale float64
	θ     []float64 // logs of the lengths, of the signal's variance, of the noise's
	chol  mat.Cholesky
	alpha *mat.VecDense // K⁻¹y
}

// fit chooses the parameters of highest posterior density, by its gradient.
func fit(dims []Dim, x []Point, y []float64) *process {
	p := &process{dims: dims, x: x}
	p.mean, p.scale = meanStd(y)
	z := make([]float64, len(y))
	for i := range y {
		z[i] = (y[i] - p.mean) / p.scale
	}
	start := make([]float64, len(dims)+2)
	for d := range dims {
		start[d] = math.Log(0.5)
	}
	start[len(dims)+1] = math.Log(0.05)
	var last struct {
		θ []float64
		f float64
		g []float64
	}
	eval := func(θ []float64) (float64, []float64) {
		if !slices.Equal(θ, last.θ) {
			last.f, last.g = p.loss(θ, z)
			last.θ = slices.Clone(θ)
		}
		return last.f, last.g
	}
	problem := optimize.Problem{
		Func: func(θ []float64) float64 { f, _ := eval(θ); return f },
		Grad: func(g, θ []float64) { _, grad := eval(θ); copy(g, grad) },
	}
	p.θ = start
	if r, err := optimize.Minimize(problem, start, &optimize.Settings{MajorIterations: 50, FuncEvaluations: 100}, &optimize.LBFGS{}); r != nil && (err == nil || r.F < math.Inf(1)) {
		p.θ = r.X // also where the line search gave up: it is the best that was seen
	}
	p.condition(z)
	return p
}

func meanStd(y []float64) (mean, std float64) {
	for _, v := range y {
		mean += v / float64(len(y))
	}
	for _, v := range y {
		std += (v - mean) * (v - mean)
	}
	if std = math.Sqrt(std / float64(max(1, len(y)-1))); std < 1e-12 {
		std = 1
	}
	return mean, std
}

// distances2 are the squared distances in each dimension: of names, 0 or 1.
func (p *process) distance2(d int, a, b Point) float64 {
	δ := a[d] - b[d]
	if p.dims[d].Unordered && δ != 0 {
		return 1
	}
	return δ * δ
}

// kernel is the covariance at two points, and -1/2r·dk/dr of it, from which
// gradients follow.
func (p *process) kernel(θ []float64, a, b Point) (k, slope float64) {
	r2 := 0.0
	for d := range p.dims {
		r2 += p.distance2(d, a, b) * math.Exp(-2*θ[d])
	}
	r := math.Sqrt(5 * r2)
	e := math.Exp(θ[len(p.dims)] - r)
	return (1 + r + r*r/3) * e, 5.0 / 3 * (1 + r) * e
}

func (p *process) gram(θ []float64) *mat.SymDense {
	n := len(p.x)
	k := mat.NewSymDense(n, nil)
	for i := range n {
		for j := i; j < n; j++ {
			v, _ := p.kernel(θ, p.x[i], p.x[j])
			if i == j {
				v += math.Exp(θ[len(θ)-1]) + 1e-8
			}
			k.SetSym(i, j, v)
		}
	}
	return k
}

// prior are the mean and the standard deviation of each parameter's normal
// prior: lengths about half the cube, signal about the values' own, little noise.
func (p *process) prior(i int) (mean, std float64) {
	switch i {
	case len(p.dims):
		return 0, 1
	case len(p.dims) + 1:
		return math.Log(0.02), 1.5
	}
	return math.Log(0.5), 1
}

// loss is the negative log of the posterior density of θ, up to a constant, and
// its gradient (Rasmussen, Williams 2006, eq. 5.9).
func (p *process) loss(θ, z []float64) (float64, []float64) {
	n := len(p.x)
	grad := make([]float64, len(θ))
	var chol mat.Cholesky
	if !chol.Factorize(p.gram(θ)) {
		return math.Inf(1), grad
	}
	y := mat.NewVecDense(n, z)
	var alpha mat.VecDense
	if err := chol.SolveVecTo(&alpha, y); err != nil && !isCondition(err) {
		return math.Inf(1), grad
	}
	var inv mat.SymDense
	if err := chol.InverseTo(&inv); err != nil && !isCondition(err) {
		return math.Inf(1), grad
	}
	loss := mat.Dot(y, &alpha)/2 + chol.LogDet()/2
	noise := math.Exp(θ[len(θ)-1])
	for i := range n {
		for j := i; j < n; j++ {
			w := (inv.At(i, j) - alpha.AtVec(i)*alpha.AtVec(j)) / 2
			if i != j {
				w *= 2
			}
			k, slope := p.kernel(θ, p.x[i], p.x[j])
			for d := range p.dims {
				grad[d] += w * slope * p.distance2(d, p.x[i], p.x[j]) * math.Exp(-2*θ[d])
			}
			grad[len(p.dims)] += w * k
			if i == j {
				grad[len(p.dims)+1] += w * noise
			}
		}
	}
	for i := range θ {
		m, s := p.prior(i)
		loss += (θ[i] - m) * (θ[i] - m) / (2 * s * s)
		grad[i] += (θ[i] - m) / (s * s)
	}
	return loss, grad
}

// isCondition says that err only warns of an ill-conditioned matrix.
func isCondition(err error) bool {
	_, ok := err.(mat.Condition)
	return ok
}

// condition prepares predictions from the standardised values z.
func (p *process) condition(z []float64) {
	p.chol.Factorize(p.gram(p.θ))
	p.alpha = new(mat.VecDense)
	if err := p.chol.SolveVecTo(p.alpha, mat.NewVecDense(len(z), z)); err != nil && !isCondition(err) {
		p.alpha = mat.NewVecDense(len(z), nil) // the prior alone
	}
}

// predict is the mean and standard deviation of the process at q, without noise.
func (p *process) predict(q Point) (mean, std float64) {
	n := len(p.x)
	k := mat.NewVecDense(n, nil)
	for i, x := range p.x {
		v, _ := p.kernel(p.θ, x, q)
		k.SetVec(i, v)
	}
	self, _ := p.kernel(p.θ, q, q)
	half := mat.NewVecDense(n, nil)
	variance := self
	if err := half.SolveVec(p.chol.RawU().T(), k); err == nil || isCondition(err) {
		variance -= mat.Dot(half, half)
	}
	return p.mean + p.scale*mat.Dot(k, p.alpha), p.scale * math.Sqrt(max(variance, 1e-12))
}

// believe adds points as if they had measured what the process expects of them
// (kriging believer: Ginsbourger, Le Riche, Carraro 2010), so that others look
// elsewhere.
func (p *process) believe(points []Point) {
	if len(points) == 0 {
		return
	}
	z := make([]float64, 0, len(p.x)+len(points))
	for _, x := range append(slices.Clone(p.x), points...) {
		m, _ := p.predict(x)
		z = append(z, (m-p.mean)/p.scale)
	}
	p.x = append(slices.Clone(p.x), points...)
	p.condition(z)
}
