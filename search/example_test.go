package search_test

import (
	"fmt"

	"sweep/privacy"
	"sweep/search"
)

func ExampleParse() {
	_, err := search.Parse("grid.yaml", []byte(`name: first
data: {name: mnist, train: 60000}
model: tanh-cnn
privacy: {epsilon: [1, 8], delta: 1e-5, acountant: rdp}
grid: {batch_size: [512, "1024"], learning_rate: [1, 2], steps: [010]}
`))
	fmt.Println(err)
	// Output:
	// grid.yaml:4:41: privacy: acountant is not a key here; did you mean accountant?
	// grid.yaml:5:26: grid.batch_size: "1024" is text; write 1024 without quotes
	// grid.yaml:5:66: grid.steps: 010 has a leading zero, which is octal to some YAML readers; write 10
}

func ExampleSweep_Trials() {
	s, err := search.Parse("grid.yaml", []byte(`name: first
data: {name: mnist, train: 60000}
model: tanh-cnn
privacy: {epsilon: [1, inf], delta: 1e-5, noise: seeded}
grid: {learning_rate: {log: {min: 1, max: 4, num: 3}}}
fixed: {batch_size: 512, steps: 300}
where: learning_rate < 4
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for t, err := range s.Trials(privacy.CalibrateNoise) {
		fmt.Println(t.Index, t.Label, t.Params.Noise > 0, err)
	}
	// Output:
	// 0 ε=1 η=1 true <nil>
	// 1 ε=1 η=2 true <nil>
	// 2 ε=inf η=1 false <nil>
	// 3 ε=inf η=2 false <nil>
}
