package results

import (
	"encoding/json"
	"math"
)

// An Epsilon is a privacy loss that may be infinite, which JSON numbers cannot
// be: then its JSON form is the string "inf". Zero is none, or unknown.
type Epsilon float64

// MarshalJSON writes a number or "inf".
func (e Epsilon) MarshalJSON() ([]byte, error) {
	if math.IsInf(float64(e), 1) {
		return []byte(`"inf"`), nil
	}
	return json.Marshal(float64(e))
}

// UnmarshalJSON reads what MarshalJSON writes.
func (e *Epsilon) UnmarshalJSON(text []byte) error {
	if string(text) == `"inf"` {
		*e = Epsilon(math.Inf(1))
		return nil
	}
	return json.Unmarshal(text, (*float64)(e))
}
