// Command bench is the trainer of the orchestration benchmark: it trains
// nothing, keeps the whole contract, and takes as long as its one argument
// says a step takes. [bench.sh] runs it under sweep, beside other programs
// that run trials.
package main

import (
	"fmt"
	"os"
	"time"

	"sweep/trainerplugin"
	"sweep/trainerplugin/trainertest"
)

func main() {
	fake := trainertest.Fake{}
	if len(os.Args) > 1 {
		pace, err := time.ParseDuration(os.Args[1])
		if err != nil {
			fmt.Fprintf(os.Stderr, "bench: time of a step: %v\n", err)
			os.Exit(2)
		}
		fake.StepTime = pace
	}
	trainerplugin.Serve(fake)
}
