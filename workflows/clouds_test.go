package workflows

import (
	"errors"
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"

	"sweep"
	"sweep/results"
	"sweep/trainerplugin"
	"sweep/workflows/checkpoints/cloudtest"
)

// eachCloud runs test on a trial whose checkpoints go to a store of S3, of Google
// Cloud and of Azure.
func eachCloud(t *testing.T, source sweep.NoiseSource, test func(*testing.T, *site, *cloudtest.Store)) {
	cloudtest.Each(t, func(t *testing.T, c *cloudtest.Store) {
		s := enterSite(t, source)
		s.at, s.cloud = c.URL, c
		test(t, s, c)
	})
}

// On every cloud the last two checkpoints and the best are kept, one that is
// damaged is passed over with a line in the record, and the trial ends on the
// undisturbed bits with nothing left in the store.
func TestCloudsKeepCheckpoints(t *testing.T) {
	eachCloud(t, sweep.Seeded, func(t *testing.T, s *site, c *cloudtest.Store) {
		s.dies(host{threads: 1}, 20)
		kept := s.kept()
		if len(kept) < 2 || len(kept) > 3 || kept[len(kept)-1] != "1/step-000000019.ckpt" || kept[len(kept)-2] != "1/step-000000018.ckpt" {
			t.Fatalf("kept %v; want those of steps 18 and 19, and of the best step", kept)
		}
		newest := path.Join(string(s.params.ID()), "checkpoints", kept[len(kept)-1])
		text, err := c.Bucket(t).ReadAll(t.Context(), newest)
		if err == nil {
			text[len(text)/2] ^= 4
			err = c.Bucket(t).WriteAll(t.Context(), newest, text, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		got := s.completes(host{threads: 2})
		noted := slices.ContainsFunc(got.Notes, func(n results.Note) bool {
			return n.Attempt == 2 && strings.Contains(n.Text, "checkpoint of step 19 by attempt 1 passed over")
		})
		if from := got.Attempts[1].FromStep; from != 18 || !noted || got.Steps != 40 {
			t.Errorf("the second attempt went on from step %d, noted: %t, %d steps charged; want 18, true, 40", from, noted, got.Steps)
		}
		if left := s.kept(); len(left) != 0 {
			t.Errorf("left in the store: %v", left)
		}
	})
}

// An attempt that was believed dead overwrites nothing on a cloud either, and
// clears away what it kept.
func TestZombieOnClouds(t *testing.T) {
	eachCloud(t, sweep.Seeded, func(t *testing.T, s *site, c *cloudtest.Store) {
		_, wake, ended := s.frozen(host{threads: 1}, 10)
		second, claim := s.begin()
		err := s.run(host{threads: 1, after: func(e trainerplugin.Event) error {
			if p, ok := e.(trainerplugin.Progress); ok && p.Step == 25 {
				close(wake)
				if err := <-ended; !errors.Is(err, sweep.ErrFenced) {
					t.Errorf("the zombie ended with %v, want ErrFenced", err)
				}
			}
			return nil
		}}, second, claim)
		if err != nil {
			t.Fatal(err)
		}
		if claim.Checkpoints[0].Attempt != 1 {
			t.Errorf("the second attempt went on from %+v; want the first's", claim.Checkpoints[0])
		}
		if err := s.record.Record(t.Context(), second); err != nil {
			t.Fatal(err)
		}
		s.check(t, second)
		if left := s.kept(); len(left) != 0 {
			t.Errorf("left in the store: %v", left)
		}
	})
}

// A store that fails while a trial is trained costs checkpoints, not the trial,
// and one that fails while a trial wants its checkpoint is waited for: to begin
// again would spend the privacy twice.
func TestCloudsThatFail(t *testing.T) {
	eachCloud(t, sweep.Secure, func(t *testing.T, s *site, c *cloudtest.Store) {
		s.dies(host{threads: 1, after: func(e trainerplugin.Event) error {
			switch p, _ := e.(trainerplugin.Progress); p.Step {
			case 5:
				c.Fail(cloudtest.Fault{Status: http.StatusForbidden})
			case 7:
				c.Heal()
			}
			return nil
		}}, 10)
		got := s.trial()
		note := ""
		for _, n := range got.Notes {
			if strings.Contains(n.Text, "training goes on without a checkpoint") {
				note = n.Text
			}
		}
		if !strings.Contains(note, "check its credentials") {
			t.Errorf("notes %+v; want one that says what to check", got.Notes)
		}
		c.Fail(cloudtest.Fault{Status: http.StatusForbidden, Only: http.MethodGet, Times: 2})
		got = s.completes(host{threads: 1})
		waited := slices.ContainsFunc(got.Notes, func(n results.Note) bool {
			return n.Attempt == 2 && strings.Contains(n.Text, "waiting for the store of checkpoints")
		})
		if !waited || got.Attempts[1].FromStep != 9 || got.Steps != 40 || got.Attempts[0].NoiseID != got.Attempts[1].NoiseID {
			t.Errorf("waited: %t, went on from step %d, %d steps charged; want true, 9, 40 and one noise stream", waited, got.Attempts[1].FromStep, got.Steps)
		}
	})
}
