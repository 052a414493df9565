package trainerplugin

import (
	"fmt"
	"slices"
	"strings"

	"sweep"
)

// KeepWeightsExtra is the extra that lets a job ask for [Job.KeepWeights].
const KeepWeightsExtra = "keep_weights"

// Extras are the parameters of [sweep.Params] that the first version of the
// contract did not have, by their names in its JSON form, and what else a job
// may ask for since. A trainer that was built without one reads past it, and
// would report an outcome of another trial, or leave no weights; so it has to
// name those it honours, and is given no other.
var Extras = []string{"optimizer", "momentum", "weight_decay", "schedule", "warmup", "clipping", "init", "layers", KeepWeightsExtra}

// extrasOf are those of [Extras] that j uses.
func extrasOf(j Job) []string {
	p := j.Params
	used := map[string]bool{
		"optimizer":      p.Optimizer != "",
		"momentum":       p.Momentum != 0,
		"weight_decay":   p.WeightDecay != 0,
		"schedule":       p.Schedule != "",
		"warmup":         p.Warmup != 0,
		"clipping":       p.Clipping != "",
		"init":           p.Init != sweep.Init{},
		"layers":         p.Layers != "",
		KeepWeightsExtra: j.KeepWeights,
	}
	return slices.DeleteFunc(slices.Clone(Extras), func(name string) bool { return !used[name] })
}

// honours says whether the trainer that d describes takes every extra that j uses.
func (d Description) honours(j Job) error {
	missing := slices.DeleteFunc(extrasOf(j), func(name string) bool { return slices.Contains(d.Extras, name) })
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("%w: trainer %s does not have %s; leave it out, or take a trainer that names it", ErrRefused, d.Program(), strings.Join(missing, ", "))
}
