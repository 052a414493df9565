package privacy

import (
	"bytes"
	"math"
	"reflect"
	"strings"
	"testing"
)

func TestEventJSON(t *testing.T) {
	for _, c := range []struct {
		event Event
		json  string
	}{
		{DPSGD{0.08, 3, 2468}, `{"type":"dpsgd","sample_rate":0.08,"noise_multiplier":3,"steps":2468}`},
		{Composed{}, `{"type":"composed","events":[]}`},
		{Gaussian{2, 3}, `{"type":"gaussian","noise_multiplier":2,"count":3}`},
		{FixedSize{60000, 256, 1.1, 3500}, `{"type":"fixed_size","examples":60000,"batch_size":256,"noise_multiplier":1.1,"steps":3500}`},
		{TruncatedPoisson{0.1, 3, 10, 100, 20}, `{"type":"truncated_poisson","sample_rate":0.1,"noise_multiplier":3,"steps":10,"examples":100,"max_batch_size":20}`},
		{Shuffled{10, 72}, `{"type":"shuffled","noise_multiplier":10,"epochs":72}`},
		{Laplace{10, 3}, `{"type":"laplace","scale":10,"count":3}`},
		{Select{DPSGD{0.1, 3, 10}, Geometric, 10, 0},
			`{"type":"select","run":{"type":"dpsgd","sample_rate":0.1,"noise_multiplier":3,"steps":10},"count":"geometric","mean":10}`},
		{Subset{0.1, Composed{}}, `{"type":"subset","rate":0.1,"event":{"type":"composed","events":[]}}`},
		{RandomizedResponse{0.5, 3, 10}, `{"type":"randomized_response","random":0.5,"options":3,"count":10}`},
		{Composed{DPSGD{1, 2, 3}, Composed{}},
			`{"type":"composed","events":[{"type":"dpsgd","sample_rate":1,"noise_multiplier":2,"steps":3},{"type":"composed","events":[]}]}`},
	} {
		got, err := MarshalEvent(c.event)
		if err != nil || string(got) != c.json {
			t.Errorf("MarshalEvent(%+v) = %s, %v; want %s", c.event, got, err, c.json)
		}
		back, err := UnmarshalEvent([]byte(c.json))
		if err != nil || !reflect.DeepEqual(back, c.event) {
			t.Errorf("UnmarshalEvent(%s) = %+v, %v; want %+v", c.json, back, err, c.event)
		}
	}
}

func TestUnmarshalEventRefuses(t *testing.T) {
	for data, want := range map[string]string{
		`{"type":"magic"}`:                       `unknown type "magic"; known are composed, dpsgd, fixed_size, gaussian,`,
		`{"sample_rate":1}`:                      `it needs a "type"`,
		`[]`:                                     `read privacy event`,
		`{"type":"dpsgd","sample_rate":2}`:       `sample rate 2 is not a probability`,
		`{"type":"dpsgd","stepz":2}`:             `unknown field "stepz"`,
		`{"type":"dpsgd","noise_multiplier":-1}`: `noise multiplier -1`,
		`{"type":"composed","events":[{"type":"dpsgd","steps":-1}]}`: `event 1: read privacy event dpsgd: steps -1`,
	} {
		_, err := UnmarshalEvent([]byte(data))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("UnmarshalEvent(%s): error %v, want one with %q", data, err, want)
		}
	}
}

func TestMarshalEventRefusesWhatItCouldNotRead(t *testing.T) {
	for _, e := range []Event{nil, DPSGD{0.1, math.NaN(), 1}, DPSGD{0.1, math.Inf(1), 1}, Composed{nil}} {
		if got, err := MarshalEvent(e); err == nil {
			t.Errorf("MarshalEvent(%v) = %s", e, got)
		}
	}
}

func FuzzUnmarshalEvent(f *testing.F) {
	f.Add([]byte(`{"type":"dpsgd","sample_rate":0.08,"noise_multiplier":3,"steps":2468}`))
	f.Add([]byte(`{"type":"composed","events":[{"type":"composed","events":[]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := UnmarshalEvent(data)
		if err != nil {
			t.Skip()
		}
		once, err := MarshalEvent(e)
		if err != nil {
			t.Fatalf("%s was read as %+v, which cannot be written: %v", data, e, err)
		}
		back, err := UnmarshalEvent(once)
		if err != nil {
			t.Fatal(err)
		}
		if twice, err := MarshalEvent(back); err != nil || !bytes.Equal(once, twice) {
			t.Errorf("%s becomes %s, %v", once, twice, err)
		}
	})
}

func TestParse(t *testing.T) {
	for _, a := range accountants {
		if got, err := ParseAccountant(string(a)); got != a || err != nil {
			t.Errorf("ParseAccountant(%q) = %v, %v", a, got, err)
		}
		if want := string(a) + "/1"; a.Version() != want {
			t.Errorf("%s has version %s, want %s", a, a.Version(), want)
		}
	}
	if _, err := ParseAccountant("moments"); err == nil || !strings.Contains(err.Error(), "rdp") {
		t.Errorf("an unknown accountant gives error %v, want the known ones listed", err)
	}
	if _, err := Accountant("moments").Epsilon(DPSGD{0.1, 1, 1}, 1e-5); err == nil {
		t.Error("an unknown accountant answers")
	}
}

func TestCovers(t *testing.T) {
	got := Covers(Question{Event: DPSGD{0.1, 1, 1}, Unit: "patient"})
	for _, want := range []string{"adding or removing one patient", "Poisson samples", "does not cover hyper-parameters"} {
		if !strings.Contains(got, want) {
			t.Errorf("Covers = %q, want it to say %q", got, want)
		}
	}
}
