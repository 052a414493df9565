package workflows

import (
	"reflect"
	"testing"
	"time"

	"sweep"
)

// No decision depends on two machines' clocks agreeing: nothing that one
// machine tells another holds a time of day, only lengths of time. What the
// record notes for people is the time of the one machine that holds it.
func TestNoClockCrossesMachines(t *testing.T) {
	told := []any{
		SweepInput{}, TrialInput{}, TrainInput{}, TrainDone{}, Beat{}, Submission{}, Entered{}, SweepEnd{}, Progress{},
		sweep.AttemptRef{}, sweep.Reading{}, sweep.Outcome{}, sweep.Ending{}, sweep.Claim{}, sweep.Candidate{},
	}
	seen := map[reflect.Type]bool{}
	for _, v := range told {
		noTime(t, reflect.TypeOf(v), reflect.TypeOf(v).Name(), seen)
	}
	if len(seen) < 20 {
		t.Errorf("looked at %d types: the search is broken", len(seen))
	}
}

func noTime(t *testing.T, typ reflect.Type, path string, seen map[reflect.Type]bool) {
	if typ == reflect.TypeFor[time.Time]() {
		t.Errorf("%s is a time of day: another machine would compare it with its own clock", path)
		return
	}
	if seen[typ] {
		return
	}
	seen[typ] = true
	switch typ.Kind() {
	case reflect.Struct:
		for f := range typ.Fields() {
			noTime(t, f.Type, path+"."+f.Name, seen)
		}
	case reflect.Slice, reflect.Array, reflect.Pointer:
		noTime(t, typ.Elem(), path+"[]", seen)
	case reflect.Map:
		noTime(t, typ.Key(), path+"[key]", seen)
		noTime(t, typ.Elem(), path+"[]", seen)
	case reflect.Interface:
		t.Errorf("%s is an interface: what it may hold cannot be checked", path)
	}
}
