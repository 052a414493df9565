package strategy

import (
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// quadratic fits y by a polynomial of the second degree in x, names by a number
// each, and returns its values there. It is ridge regression (Hoerl, Kennard
// 1970, Technometrics 12) on features of mean 0 and variance 1, with a penalty of
// 1 for the square of each coefficient: as much as one observation weighs, so that
// there may be fewer points than coefficients. It fails for less than two points.
func quadratic(dims []Dim, x []Point, y []float64) ([]float64, bool) {
	if len(x) < 2 {
		return nil, false
	}
	features := mat.NewDense(len(x), len(terms(dims, x[0])), nil)
	for i, p := range x {
		features.SetRow(i, terms(dims, p))
	}
	n, columns := features.Dims()
	column := make([]float64, n)
	for j := range columns {
		mat.Col(column, j, features)
		mean, std := meanStd(column)
		floats.AddConst(-mean, column)
		floats.Scale(1/std, column)
		features.SetCol(j, column)
	}
	mean := stat.Mean(y, nil)
	rest := mat.NewVecDense(n, nil)
	for i, v := range y {
		rest.SetVec(i, v-mean)
	}
	normal := mat.NewSymDense(columns, nil)
	normal.SymOuterK(1, features.T())
	for j := range columns {
		normal.SetSym(j, j, normal.At(j, j)+1)
	}
	var right, coefficients, fitted mat.VecDense
	right.MulVec(features.T(), rest)
	var factors mat.Cholesky
	if !factors.Factorize(normal) || factors.SolveVecTo(&coefficients, &right) != nil {
		return nil, false
	}
	fitted.MulVec(features, &coefficients)
	floats.AddConst(mean, fitted.RawVector().Data)
	return fitted.RawVector().Data, true
}

// terms are what a polynomial of the second degree about the middle of the space
// is made of at p, but for the constant; of an unordered dimension, whether each
// of its names is there.
func terms(dims []Dim, p Point) (t []float64) {
	for d, dim := range dims {
		if dim.Unordered {
			for l := range dim.Levels {
				is := 0.0
				if int(p[d]*float64(dim.Levels)) == l {
					is = 1
				}
				t = append(t, is)
			}
			continue
		}
		t = append(t, p[d]-0.5)
		for e := range d + 1 {
			if !dims[e].Unordered {
				t = append(t, (p[d]-0.5)*(p[e]-0.5))
			}
		}
	}
	return t
}
