package trainerplugin

import (
	"fmt"
	"slices"
	"strings"

	"sweep"
)

// Extras are the parameters of [sweep.Params] that the first version of the
// contract did not have, by their names in its JSON form. A trainer that was
// built without one reads past it, and would report an outcome of another
// trial; so it has to name those it honours, and is given no other.
var Extras = []string{"optimizer", "momentum", "weight_decay", "schedule", "warmup", "clipping", "init", "layers"}

// extrasOf are those of [Extras] that p uses.
func extrasOf(p sweep.Params) []string {
	used := map[string]bool{
		"optimizer":    p.Optimizer != "",
		"momentum":     p.Momentum != 0,
		"weight_decay": p.WeightDecay != 0,
		"schedule":     p.Schedule != "",
		"warmup":       p.Warmup != 0,
		"clipping":     p.Clipping != "",
		"init":         p.Init != sweep.Init{},
		"layers":       p.Layers != "",
	}
	return slices.DeleteFunc(slices.Clone(Extras), func(name string) bool { return !used[name] })
}

// honours says whether the trainer that d describes takes every extra that p uses.
func (d Description) honours(p sweep.Params) error {
	missing := slices.DeleteFunc(extrasOf(p), func(name string) bool { return slices.Contains(d.Extras, name) })
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("%w: trainer %s does not have %s; leave it out, or take a trainer that names it", ErrRefused, d.Program(), strings.Join(missing, ", "))
}
