package kernel

// The forms in use.
var (
	tile       = tileGo
	axpy       = axpyGo
	add        = addGo
	sumSquares = sumSquaresGo
	laneSums   = laneSumsGo
	tanh       = tanhGo
	tanhGrad   = tanhGradGo
	maximum    = maximumGo
	maxGrad    = maxGradGo
)

// Path names the kernels in use. The bits of a result depend on it.
func Path() string { return "go" }
