package search

import (
	"slices"

	"sweep"
)

// content is what makes a sweep the one it is. Numbers are in show's spelling,
// since JSON has no infinity; axes are sorted, and one with a single value is
// the same whether the file varies it, fixes it or leaves it to its default.
// A field added later must be omitted from the JSON form when it has the value
// that all earlier sweeps had, so that old sweeps keep their IDs.
type content struct {
	Data       sweep.Data          `json:"data"`
	Model      string              `json:"model"`
	Init       sweep.Init          `json:"init,omitzero"`
	Trainer    *trainerContent     `json:"trainer,omitempty"`
	Delta      string              `json:"delta"`
	Accountant string              `json:"accountant"`
	Noise      sweep.NoiseSource   `json:"noise"`
	Axes       map[string][]string `json:"axes"`
	Where      string              `json:"where,omitempty"`
	Repeats    int                 `json:"repeats"`
	Most       int                 `json:"most_repeats,omitempty"`
	Strategy   string              `json:"strategy"`
	Disclosure string              `json:"disclosure"`
}

type trainerContent struct {
	Command []string `json:"command"`
	SHA256  string   `json:"sha256"`
}

// ID is the sweep's name and the start of a digest of its content: the typed
// values of the file. The order of keys, comments, the spelling of numbers,
// the order of an axis's values and everything under run are nothing.
func (s *Sweep) ID() sweep.SweepID {
	c := content{
		Data: s.Data, Model: s.Model, Init: s.Init,
		Delta: show(s.Privacy.Delta), Accountant: string(s.Privacy.Accountant), Noise: s.Privacy.Noise,
		Axes: make(map[string][]string), Where: s.Where, Repeats: s.Repeats,
		Most: s.MostRepeats, Strategy: s.describe(), Disclosure: s.discloses(),
	}
	c.Init.File = ""
	if s.Trainer != nil {
		c.Trainer = &trainerContent{s.Trainer.Command, s.Trainer.SHA256}
	}
	for _, a := range s.axes {
		if h := hyperNamed(a.Name); h.later && len(a.Values) == 1 && a.Values[0] == fallback(h.def) {
			continue
		}
		c.Axes[a.Name] = a.spelled()
	}
	return sweep.SweepID(s.Name + "-" + sweep.Digest("sweep", c)[:8])
}

// WithOwnSeeds is s as the sweep of the given ID runs it with seeds of its own:
// its trials are those of no other sweep, so that no earlier result counts for
// them. The same ID has the same trials again.
func (s *Sweep) WithOwnSeeds(id sweep.SweepID) *Sweep {
	own := *s
	own.owner = id
	return &own
}

// FreshID is the ID of a sweep of s's content beside before earlier ones of its name.
func (s *Sweep) FreshID(before int) sweep.SweepID {
	if before == 0 {
		return s.ID()
	}
	return sweep.SweepID(s.Name + "-" + sweep.Digest("sweep", []any{s.ID(), before})[:8])
}

// spelled is all that an axis is, in show's spelling and sorted.
func (a Axis) spelled() []string {
	if a.Expr != "" {
		return []string{"= " + a.Expr}
	}
	var all []string
	for _, v := range a.Values {
		all = append(all, show(v))
	}
	slices.Sort(all)
	switch {
	case a.Span != nil && a.Span.Log:
		all = append(all, "log")
	case a.Span != nil:
		all = append(all, "lin")
	}
	if a.When != "" {
		all = append(all, "when "+a.When, "else "+show(a.Else))
	}
	return all
}
