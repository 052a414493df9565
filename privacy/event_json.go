package privacy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// MarshalEvent returns the JSON form of e: an object whose "type" names the
// event beside the event's own fields, as
//
//	{"type":"dpsgd","sample_rate":0.08,"noise_multiplier":3,"steps":2468}
//
// The form is stable: what was ever written can be read for ever, and equal
// events have equal bytes.
func MarshalEvent(e Event) ([]byte, error) {
	if e == nil {
		return nil, fmt.Errorf("marshal privacy event: there is none")
	}
	if err := e.Check(); err != nil {
		return nil, fmt.Errorf("marshal privacy event %s: %w", e.kind(), err)
	}
	body, err := eventBody(e)
	if err != nil {
		return nil, fmt.Errorf("marshal privacy event %s: %w", e.kind(), err)
	}
	head := fmt.Sprintf(`{"type":%q`, e.kind())
	if string(body) == "{}" {
		return []byte(head + "}"), nil
	}
	return append([]byte(head+","), body[1:]...), nil
}

// eventBody is e's own fields as a JSON object.
func eventBody(e Event) ([]byte, error) {
	switch e := e.(type) {
	case Composed:
		return marshalParts(e)
	case OneOf:
		return marshalParts(e)
	case Select:
		run, err := MarshalEvent(e.Run)
		if err != nil {
			return nil, err
		}
		return json.Marshal(wireSelect{run, e.Count, e.Mean, e.Shape})
	case Subset:
		part, err := MarshalEvent(e.Event)
		if err != nil {
			return nil, err
		}
		return json.Marshal(wireSubset{e.Rate, part})
	}
	return json.Marshal(e)
}

// wireComposed is the JSON form of [Composed] and [OneOf], which are no objects themselves.
type wireComposed struct {
	Events []json.RawMessage `json:"events"`
}

// decoders turns an event's own fields into the event, by type.
var decoders map[string]func(body []byte) (Event, error)

func init() { // a variable's initializer may not refer to itself through UnmarshalEvent
	decoders = map[string]func([]byte) (Event, error){
		Composed{}.kind():           decodeComposed,
		OneOf{}.kind():              decodeOneOf,
		DPSGD{}.kind():              decode[DPSGD],
		Gaussian{}.kind():           decode[Gaussian],
		FixedSize{}.kind():          decode[FixedSize],
		TruncatedPoisson{}.kind():   decode[TruncatedPoisson],
		Shuffled{}.kind():           decode[Shuffled],
		Laplace{}.kind():            decode[Laplace],
		RandomizedResponse{}.kind(): decode[RandomizedResponse],
		Select{}.kind():             decodeSelect,
		Subset{}.kind():             decodeSubset,
	}
}

// UnmarshalEvent reads what [MarshalEvent] wrote. A type or a field that this
// package does not know is refused: an event that is half understood would be
// priced too low.
func UnmarshalEvent(data []byte) (Event, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, fmt.Errorf("read privacy event: %w", err)
	}
	var kind string
	if err := json.Unmarshal(fields["type"], &kind); err != nil {
		return nil, fmt.Errorf(`read privacy event: it needs a "type", one of %s`, knownEvents())
	}
	decode, ok := decoders[kind]
	if !ok {
		return nil, fmt.Errorf("read privacy event: unknown type %q; known are %s", kind, knownEvents())
	}
	delete(fields, "type")
	body, err := json.Marshal(fields)
	if err != nil {
		return nil, fmt.Errorf("read privacy event %s: %w", kind, err)
	}
	e, err := decode(body)
	if err != nil {
		return nil, fmt.Errorf("read privacy event %s: %w", kind, err)
	}
	if err := e.Check(); err != nil {
		return nil, fmt.Errorf("read privacy event %s: %w", kind, err)
	}
	return e, nil
}

func knownEvents() string {
	return strings.Join(slices.Sorted(maps.Keys(decoders)), ", ")
}

func decode[E Event](body []byte) (Event, error) {
	var e E
	err := strictly(body, &e)
	return e, err
}

func decodeComposed(body []byte) (Event, error) {
	var list wireComposed
	if err := strictly(body, &list); err != nil {
		return nil, err
	}
	parts := make(Composed, len(list.Events))
	for i, raw := range list.Events {
		var err error
		if parts[i], err = UnmarshalEvent(raw); err != nil {
			return nil, fmt.Errorf("event %d: %w", i+1, err)
		}
	}
	return parts, nil
}

func strictly(body []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	return d.Decode(into)
}
