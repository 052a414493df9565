package privacy

import (
	"fmt"
	"strings"
)

// A Relation says in what two neighbouring data sets may differ.
type Relation string

const (
	// AddRemove neighbours differ by one unit that is present in one of them.
	// It is also what the empty string means.
	AddRemove Relation = "add_remove"
)

// ParseRelation reads the name of a relation; "" is [AddRemove].
func ParseRelation(name string) (Relation, error) {
	switch r := Relation(name); r {
	case "", AddRemove:
		return AddRemove, nil
	}
	return "", fmt.Errorf("unknown neighbouring relation %q; known are %s", name, AddRemove)
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

// Covers says in one sentence what a number about q means and what it leaves
// out. It belongs wherever the number is shown.
func Covers(q Question) string {
	unit := q.Unit
	if unit == "" {
		unit = "example"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Covers adding or removing one %s when every step's model is seen", unit)
	b.WriteString(" and batches are drawn as recorded (Poisson sampling of the whole training set)")
	b.WriteString("; does not cover hyper-parameters chosen on the same data, other releases from it, or noise whose seed is known.")
	return b.String()
}
