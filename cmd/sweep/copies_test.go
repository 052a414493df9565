package main

import (
	"bytes"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"sweep/results/resultstest"
)

// TestKilledExport kills `sweep export` with -9 in the middle of writing, in every
// format: what --out names is not there, what it has written so far hides under a
// name of its own, the record is as it was, and the next export is whole.
func TestKilledExport(t *testing.T) {
	slow(t)
	t.Parallel()
	dir := t.TempDir()
	db := filepath.Join(dir, "results.db")
	if _, err := resultstest.Large(t.Context(), db, 1000, 200_000); err != nil {
		t.Fatal(err)
	}
	before := fileBytes(t, db)
	for _, format := range []string{"csv", "jsonl", "parquet", "mlflow", "tensorboard"} {
		t.Run(format, func(t *testing.T) {
			out := filepath.Join(dir, format)
			cmd := sweepIn(dir, "export", "--format", format, "--what", "curves", "--out", out)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			for !begun(dir, format) { // a small Parquet file takes no time: nothing is slept away here
				if t.Context().Err() != nil {
					t.Fatal("it never began")
				}
				runtime.Gosched()
			}
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err == nil {
				t.Fatal("it was through before it could be killed")
			}
			if _, err := os.Stat(out); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("half an export stands under its name: %v", err)
			}
			if !bytes.Equal(fileBytes(t, db), before) {
				t.Error("the record has changed")
			}
			if text, err := sweepIn(dir, "export", "--format", format, "--what", "curves", "--out", out).CombinedOutput(); err != nil {
				t.Errorf("the next export: %v\n%s", err, text)
			}
			if _, err := os.Stat(out); err != nil {
				t.Error(err)
			}
		})
	}
	if text, err := sweepIn(dir, "frontier").CombinedOutput(); err != nil {
		t.Errorf("frontier: %v\n%s", err, text)
	}
}

// begun says whether something was written beside the export's name.
func begun(dir, format string) bool {
	found, _ := filepath.Glob(filepath.Join(dir, "."+format+".*"))
	for _, path := range found {
		info, err := os.Stat(path)
		if err != nil {
			continue
		}
		// Parquet's writer keeps its rows until it has many: there the file is enough.
		if inside, _ := os.ReadDir(path); info.Mode().IsRegular() && (info.Size() > 0 || format == "parquet") || len(inside) > 0 {
			return true
		}
	}
	return false
}

func fileBytes(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestOtherFilesAreLeftAlone names, to every verb that takes a results file, files
// that are none: each is refused with a reason, and has the same bytes and the
// same neighbours afterwards.
func TestOtherFilesAreLeftAlone(t *testing.T) {
	good := filepath.Join(t.TempDir(), "good.db")
	if _, err := resultstest.Large(t.Context(), good, 40, 2000); err != nil {
		t.Fatal(err)
	}
	record := fileBytes(t, good)
	newer := bytes.Clone(record)
	newer[63] = 0xee // the last byte of user_version, the schema's number (SQLite file format, section 1.3)
	damaged := bytes.Clone(record)
	for page := 2; page < len(damaged)/4096; page += 3 {
		copy(damaged[page*4096:], bytes.Repeat([]byte{0xa5}, 64))
	}
	grid := filepath.Join(t.TempDir(), "grid.yaml")
	if err := os.WriteFile(grid, []byte(crashGrid), 0o600); err != nil {
		t.Fatal(err)
	}
	verbs := [][]string{
		{"status"}, {"list"}, {"trials"}, {"best"}, {"frontier"}, {"frontier", "--history"}, {"compare", "--by", "learning_rate"}, {"query", "SELECT 1"},
		{"export"}, {"report", "-o", "-"}, {"watch"}, {"wait"}, {"ui"}, {"verify"}, {"recount"}, {"budget", "show"}, {"budget", "set", "cifar10", "--epsilon", "1", "--delta", "1e-5"},
		{"pause"}, {"resume"}, {"stop"}, {"cancel"}, {"set", "parallel", "2"}, {"retry", "--failed"}, {"extend", grid}, {"import", good}, {"start", grid}, {"plan", grid},
	}
	for name, file := range map[string]struct {
		data []byte
		want string
	}{
		"text": {[]byte("name: grid\n"), "not a record of sweeps"}, "cut short": {record[:len(record)/2], "damaged"}, "foreign": {otherDatabase(t), "not a record of sweeps"},
		"newer": {newer, "newer version"}, "damaged": {damaged, "damaged"}, "noise": {bytes.Repeat([]byte{7, 200, 31}, 5000), "not a record of sweeps"},
	} {
		dir := t.TempDir()
		db := filepath.Join(dir, "other.db")
		if err := os.WriteFile(db, file.data, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, verb := range verbs {
			if verb[0] == "plan" && name != "text" { // it looks at the file only for what a budget leaves
				continue
			}
			turnedDown(t, name, file.want, db, verb)
		}
		turnedDown(t, name, file.want, filepath.Join(t.TempDir(), "new.db"), []string{"import", db})
		if !bytes.Equal(fileBytes(t, db), file.data) {
			t.Errorf("%s: the file has changed", name)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
			t.Errorf("%s: %v lie beside the file, error %v; want nothing", name, left, err)
		}
	}
}

func turnedDown(t *testing.T, name, want, db string, verb []string) {
	t.Helper()
	var out, complaint bytes.Buffer
	args := append(append([]string{"sweep"}, verb...), "--db", db)
	status := run(t.Context(), args, &out, &complaint)
	if verb[0] == "plan" {
		return
	}
	if status == exitOK || !bytes.Contains(complaint.Bytes(), []byte(want)) {
		t.Errorf("%v on a file that is %s: exit %d, %s; want %q", verb, name, status, complaint.String(), want)
	}
}

// otherDatabase is a SQLite file of some other program.
func otherDatabase(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notes.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), `CREATE TABLE notes (text TEXT); INSERT INTO notes VALUES ('mine')`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return fileBytes(t, path)
}
