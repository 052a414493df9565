package trainerplugin

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"google.golang.org/protobuf/proto"

	"sweep"
	pb "sweep/trainerplugin/trainerpb"
)

// overWire marshals m and unmarshals it into another message.
func overWire[M proto.Message](t *testing.T, m M) M {
	t.Helper()
	text, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	back := m.ProtoReflect().New().Interface()
	if err := proto.Unmarshal(text, back); err != nil {
		t.Fatal(err)
	}
	return back.(M)
}

// fill gives every field at or below v a random value that is not zero, so
// that a field that does not cross shows.
func fill(v reflect.Value, r *rand.Rand) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), r)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1+r.IntN(3), 3))
		for i := range v.Len() {
			fill(v.Index(i), r)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range 1 + r.IntN(3) {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(key, r)
			fill(value, r)
			v.SetMapIndex(key, value)
		}
	case reflect.String:
		v.SetString(string(rune(1 + r.IntN(0xD7FF))))
	case reflect.Float64: // any finite bits: subnormal, huge, negative
		v.SetFloat(math.Float64frombits(r.Uint64() &^ (1 << 62)))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint64:
		v.SetUint(r.Uint64() | 1)
	default:
		v.SetInt(int64(r.Uint64() | 1))
	}
}

// crosses checks that 200 random values come back as they were.
func crosses[T any](t *testing.T, there func(T) T) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var want T
		fill(reflect.ValueOf(&want).Elem(), r)
		if got := there(want); !reflect.DeepEqual(got, want) {
			t.Fatalf("crossing the wire made of\n %+v\nthis:\n %+v", want, got)
		}
	}
}

func TestEverythingCrossesExactly(t *testing.T) {
	crosses(t, func(j Job) Job { return jobFromWire(overWire(t, jobToWire(j))) })
	crosses(t, func(d Description) Description { return descriptionFromWire(overWire(t, descriptionToWire(d))) })
	crosses(t, func(e Estimate) Estimate { return estimateFromWire(overWire(t, estimateToWire(e))) })
	crosses(t, func(o sweep.Outcome) sweep.Outcome {
		return outcomeFromWire(overWire(t, outcomeToWire(o)).GetOutcome())
	})
	event := func(e Event) Event { return eventFromWire(overWire(t, eventToWire(e))) }
	crosses(t, func(e Started) Started { return event(e).(Started) })
	crosses(t, func(e Progress) Progress { return event(e).(Progress) })
	crosses(t, func(e Evaluation) Evaluation { return event(e).(Evaluation) })
	crosses(t, func(e Checkpoint) Checkpoint { return event(e).(Checkpoint) })
	crosses(t, func(e Note) Note { return event(e).(Note) })
}

// What a trainer sends may be anything: nothing it sends may make the host
// panic, and no message may turn into another one.
func FuzzEvent(f *testing.F) {
	for _, e := range []Event{Started{Step: 1}, Progress{Loss: math.NaN()}, Evaluation{}, Checkpoint{File: "x"}, Note{Text: "x"}} {
		text, err := proto.Marshal(eventToWire(e))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var wire pb.TrainEvent
		if proto.Unmarshal(text, &wire) != nil {
			return
		}
		e := eventFromWire(&wire)
		if e == nil {
			return
		}
		a := newAudit(Job{Params: sweep.Params{Steps: 5}, Dir: t.TempDir()}, Description{}, Limits{EventsPerSecond: 1})
		for _, e := range []Event{Started{NoiseID: "x"}, e} {
			if _, err := a.event(e); err != nil {
				return
			}
		}
	})
}
