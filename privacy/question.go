package privacy

import (
	"fmt"
	"slices"
	"strings"
)

// A Relation says in what two neighbouring data sets may differ.
type Relation string

const (
	// AddRemove neighbours differ by one unit that is present in one of them
	// only. It is also what the empty string means.
	AddRemove Relation = "add_remove"
	// ReplaceOne neighbours differ in what one unit is. It costs about twice
	// as much as [AddRemove].
	ReplaceOne Relation = "replace_one"
	// ZeroOut neighbours differ by one unit that contributes nothing in one of
	// them but is still there to be drawn.
	ZeroOut Relation = "zero_out"
)

// ParseRelation reads the name of a relation; "" is [AddRemove].
func ParseRelation(name string) (Relation, error) {
	switch r := Relation(name); r {
	case "":
		return AddRemove, nil
	case AddRemove, ReplaceOne, ZeroOut:
		return r, nil
	}
	return "", fmt.Errorf("unknown neighbouring relation %q; known are %s, %s, %s", name, AddRemove, ReplaceOne, ZeroOut)
}

// A Question is an event together with whose privacy is meant.
type Question struct {
	Event    Event
	Relation Relation // "" is [AddRemove]
	Unit     string   // what one unit of privacy is; "" is "example"
}

func (q Question) check() error {
	if q.Event == nil {
		return fmt.Errorf("there is no privacy event to account for")
	}
	if _, err := ParseRelation(string(q.Relation)); err != nil {
		return err
	}
	return q.Event.Check()
}

// relation is q.Relation with its default.
func (q Question) relation() Relation {
	if q.Relation == "" {
		return AddRemove
	}
	return q.Relation
}

// Covers says in one sentence what a number about q means and what it leaves
// out. It belongs wherever the number is shown.
func Covers(q Question) string {
	unit := q.Unit
	if unit == "" {
		unit = "example"
	}
	doing := map[Relation]string{
		AddRemove: "adding or removing", ReplaceOne: "replacing", ZeroOut: "zeroing out",
	}[q.relation()]
	var b strings.Builder
	fmt.Fprintf(&b, "Covers %s one %s when everything released on the way is seen", doing, unit)
	for _, say := range premises(q.Event) {
		b.WriteString(", " + say)
	}
	b.WriteString("; does not cover hyper-parameters chosen on the same data, other releases from it, or noise whose seed is known.")
	return b.String()
}

// premises are what the events of e take for granted about how batches come
// about, each once.
func premises(e Event) (out []string) {
	add := func(s string) {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	switch e := e.(type) {
	case Composed:
		for _, part := range e {
			for _, s := range premises(part) {
				add(s)
			}
		}
	case OneOf:
		for _, part := range e {
			for _, s := range premises(part) {
				add(s)
			}
		}
	case DPSGD:
		if e.SampleRate < 1 {
			add("if batches were Poisson samples of the whole training set")
		}
	case TruncatedPoisson:
		add("if batches were Poisson samples of the whole training set, cut at random to the largest size")
	case FixedSize:
		add("if each batch was drawn afresh without replacement")
	case Select:
		out = premises(e.Run)
		add(fmt.Sprintf("if only the best of a %s number of runs with independently drawn hyper-parameters was released", e.Count))
	case Subset:
		out = premises(e.Event)
		add("if the subset was one Poisson sample")
	case Shuffled:
		add("if each example took part once an epoch")
	}
	return out
}
