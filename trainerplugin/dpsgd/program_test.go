package dpsgd

import (
	"strings"
	"testing"

	"sweep"
	"sweep/trainerplugin"
)

// A program that would not repeat the last one's bits must not repeat its noise:
// the difference of the two would be free of it.
func TestAnotherProgramDrawsFreshNoise(t *testing.T) {
	for _, c := range []struct {
		source sweep.NoiseSource
		fresh  bool
	}{{sweep.Secure, true}, {sweep.Seeded, false}} {
		j := job(t, func(j *trainerplugin.Job) { j.Params.NoiseFrom = c.source })
		before, err := stopAt(t, j, 3)
		if err == nil {
			t.Fatal("no error")
		}
		d := blobs()
		d.Program = "sweep-builtin 2/other-kernels"
		var after []trainerplugin.Event
		if _, err := Train(t.Context(), j, small, d, func(e trainerplugin.Event) error {
			after = append(after, e)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		was, is := before[0].(trainerplugin.Started), after[0].(trainerplugin.Started)
		if is.Step != 3 || (is.NoiseID != was.NoiseID) != c.fresh {
			t.Errorf("%s: went on at step %d with noise %s after %s; want step 3, fresh noise: %t", c.source, is.Step, is.NoiseID, was.NoiseID, c.fresh)
		}
		if n, ok := after[1].(trainerplugin.Note); !ok || !strings.Contains(n.Text, "other-kernels") {
			t.Errorf("%s: %+v; want a note that names both programs", c.source, after[1])
		}
	}
}
