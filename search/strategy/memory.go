package strategy

// A Memory keeps between calls what a strategy would otherwise work out from the
// beginning each time. It changes no answer: what is kept is used only where the
// tried would lead to it again, so that a strategy with a fresh Memory, or none,
// asks for the same points. A Memory serves one strategy, whose fields do not
// change, and one goroutine at a time. The zero Memory is empty.
type Memory struct {
	searched   []Ask     // of [TAN]
	divided    *division // of [LinearScaling]
	run        *run      // of [CMAES]
	stratified []Point   // of [LatinHypercube]
}
