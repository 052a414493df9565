package audit_test

import (
	"fmt"
	"strings"

	"sweep/privacy/audit"
)

// An attack that is right about all of 100 canaries refutes every ε up to
// ln(q/(1-q)) at q = 0.05^(1/100).
func ExampleOneRun_Epsilon() {
	epsilon, err := audit.OneRun{Canaries: 100, Guesses: 100, Correct: 100}.Epsilon(0, 0.05)
	fmt.Printf("ε ≥ %.2f %v\n", epsilon, err)
	// Output: ε ≥ 3.49 <nil>
}

func ExampleReadScores() {
	canaries, err := audit.ReadScores(strings.NewReader("canary,included,score\na,true,2.5\nb,false,-1\nc,true,0.5\n"))
	fmt.Println(audit.Area(audit.Curve(canaries)), err)
	// Output: 1 <nil>
}
