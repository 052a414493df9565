package privacy

import (
	"encoding/json"
	"fmt"
)

// OneOf is one of several events, chosen without looking at the data: a run with
// hyper-parameters drawn from a list, each of which costs something else. Which
// one it was may be released. What holds for every one of them holds for the
// choice, since its δ(ε) is the mean of theirs.
type OneOf []Event

func (OneOf) kind() string { return "one_of" }

// Check complains about the first part that is wrong, and if there is none.
func (e OneOf) Check() error {
	if len(e) == 0 {
		return fmt.Errorf("a choice among no events")
	}
	for i, part := range e {
		if part == nil {
			return fmt.Errorf("event %d of a choice is missing", i+1)
		}
		if err := part.Check(); err != nil {
			return fmt.Errorf("event %d of a choice: %w", i+1, err)
		}
	}
	return nil
}

func decodeOneOf(body []byte) (Event, error) {
	var list wireComposed
	if err := strictly(body, &list); err != nil {
		return nil, err
	}
	parts := make(OneOf, len(list.Events))
	for i, raw := range list.Events {
		var err error
		if parts[i], err = UnmarshalEvent(raw); err != nil {
			return nil, fmt.Errorf("event %d: %w", i+1, err)
		}
	}
	return parts, nil
}

func marshalParts(parts []Event) ([]byte, error) {
	list := wireComposed{Events: make([]json.RawMessage, len(parts))}
	for i, part := range parts {
		var err error
		if list.Events[i], err = MarshalEvent(part); err != nil {
			return nil, err
		}
	}
	return json.Marshal(list)
}

// oneOfDivergence is the largest of the parts', which bounds that of the choice:
// at every order exp((α-1)·D) is the mean of theirs.
func oneOfDivergence(e OneOf, r Relation) (func(α float64) float64, error) {
	parts := make([]renyi, len(e))
	for i, part := range e {
		var err error
		if parts[i], err = newRenyi(Question{Event: part, Relation: r}); err != nil {
			return nil, err
		}
	}
	return func(α float64) float64 {
		var most float64
		for _, p := range parts {
			most = max(most, p.at(α))
		}
		return most
	}, nil
}

// A choice prices a [OneOf] that stands alone by the dearest of its parts.
type choice []certified

func newChoice(q Question) (choice, error) {
	list := phases(q.Event)
	if len(list) != 1 || list[0].times != 1 {
		return nil, ErrNotApplicable
	}
	parts, ok := list[0].step.(OneOf)
	if !ok {
		return nil, ErrNotApplicable
	}
	var c choice
	for _, part := range parts {
		c = append(c, certified{Question{Event: part, Relation: q.Relation}})
	}
	return c, nil
}

func (c choice) most(ask func(certified) (lower, upper float64, err error)) (lower, upper float64, err error) {
	for _, part := range c {
		_, u, err := ask(part)
		if err != nil {
			return 0, 0, err
		}
		upper = max(upper, u)
	}
	return 0, upper, nil // a mean may lie below the largest
}

func (c choice) epsilons(delta float64) (lower, upper float64, err error) {
	return c.most(func(p certified) (float64, float64, error) { return p.epsilons(delta) })
}

func (c choice) deltas(epsilon float64) (lower, upper float64, err error) {
	return c.most(func(p certified) (float64, float64, error) { return p.deltas(epsilon) })
}

func (c choice) epsilon(delta float64) (float64, error) {
	_, upper, err := c.epsilons(delta)
	return upper, err
}

func (c choice) delta(epsilon float64) (float64, error) {
	_, upper, err := c.deltas(epsilon)
	return upper, err
}
