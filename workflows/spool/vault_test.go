package spool

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sweep"
	"sweep/trainerplugin"
)

// What a vault keeps can be read with its key alone, is made once, and says by no
// length how much it is.
func TestVault(t *testing.T) {
	dir := Folder(t.TempDir())
	if err := os.Mkdir(dir.Trial("slot"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := dir.OpenVault("slot"); !errors.Is(err, ErrNoDraw) {
		t.Errorf("no vault yet: %v", err)
	}
	draw := func(n int) func() ([]Drawn, error) {
		return func() ([]Drawn, error) {
			return make([]Drawn, n), nil
		}
	}
	v, err := dir.CreateVault("slot", draw(3))
	if err != nil || len(v.Drawn()) != 3 {
		t.Fatalf("vault %+v, %v", v, err)
	}
	again, err := dir.CreateVault("slot", draw(9))
	if err != nil || len(again.Drawn()) != 3 || again.Name() != v.Name() || !strings.HasPrefix(v.Name(), "draw:") {
		t.Errorf("drawn again: %+v, %v", again, err)
	}
	first, second := sweep.Outcome{Accuracy: 0.7182818284}, sweep.Outcome{Accuracy: 0.5}
	if err := errors.Join(v.Close("a", End{Outcome: &first}), again.Close("a", End{Outcome: &second}), v.Close("b", End{})); err != nil {
		t.Fatal(err)
	}
	e, ended, err := again.Ended("a")
	if err != nil || !ended || *e.Outcome != first {
		t.Errorf("ended %+v, %t, %v; want the first", e, ended, err)
	}
	if e, ended, err = v.Ended("b"); err != nil || !ended || e.Outcome != nil {
		t.Errorf("failed %+v, %t, %v", e, ended, err)
	}
	sizes := map[int]bool{}
	err = filepath.WalkDir(string(dir), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if bytes.Contains(text, []byte("71828")) || bytes.Contains(text, []byte("params")) {
			t.Errorf("%s is in the clear", path)
		}
		if info, _ := e.Info(); info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		if e.Name() == "end" {
			sizes[len(text)] = true
		}
		return err
	})
	if err != nil || len(sizes) != 1 {
		t.Errorf("%v; ends of %d sizes", err, len(sizes))
	}
	damage(t, dir, filepath.Join("a", "end"))
	if _, _, err := v.Ended("a"); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("damaged: %v", err)
	}
	if undecided, err := dir.Undecided("slot"); err != nil || !undecided {
		t.Errorf("undecided %t, %v", undecided, err)
	}
	ref := sweep.AttemptRef{Trial: "slot", Number: 1}
	for range 2 { // an attempt may die over it, and the next one repeats it
		if err := dir.Decide(ref, &sweep.Win{Label: "x", Outcome: first}); err != nil {
			t.Fatal(err)
		}
	}
	if undecided, err := dir.Undecided("slot"); err != nil || undecided {
		t.Errorf("decided: undecided %t, %v", undecided, err)
	}
	win, decided, err := dir.Win("slot")
	if err != nil || !decided || win.Outcome != first {
		t.Errorf("win %+v, %t, %v", win, decided, err)
	}
	if err := dir.Released(ref, "winner"); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir.Trial("slot"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind %v, %v", left, err)
	}
}

// The winner's weights are kept, and no loser's, though the attempt that decided died
// before it was recorded, once over moving them and once after.
func TestVaultKeepsTheWinnersWeights(t *testing.T) {
	dir := Folder(t.TempDir())
	slot := sweep.AttemptRef{Trial: "slot", Number: 1}
	if err := os.Mkdir(dir.Trial("slot"), 0o700); err != nil {
		t.Fatal(err)
	}
	var trials []Drawn
	for seed := range uint64(2) {
		trials = append(trials, Drawn{Params: sweep.Params{Seed: seed}})
	}
	v, err := dir.CreateVault("slot", func() ([]Drawn, error) { return trials, nil })
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range trials {
		id := d.Params.ID()
		if err := v.Close(id, End{}); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(v.Folder().weights(sweep.AttemptRef{Trial: id, Number: 3}), []byte{byte(i)}, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	winner := trials[1].Params
	if err := dir.takeWeights(slot, winner.ID()); err != nil { // and no more of Decide
		t.Fatal(err)
	}
	slot.Number++
	if err := dir.Decide(slot, &sweep.Win{Params: winner}); err != nil {
		t.Fatal(err)
	}
	slot.Number++
	if err := dir.Released(slot, winner.ID()); err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile(filepath.Join(dir.Trial(winner.ID()), trainerplugin.WeightsFile))
	if err != nil || !bytes.Equal(kept, []byte{1}) {
		t.Errorf("kept %v, %v; want the winner's", kept, err)
	}
	left, err := os.ReadDir(dir.Trial("slot"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind %v, %v", left, err)
	}
}

func damage(t *testing.T, dir Folder, name string) {
	t.Helper()
	path := filepath.Join(dir.selection("slot"), name)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)/2] ^= 1
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
