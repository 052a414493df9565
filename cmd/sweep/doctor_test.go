package main

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sweep/internal/faults"
	"sweep/results"
)

const doctorGrid = `
name: patient
data: {name: %s, train: 600}
model: fake
%s
privacy: {noise_multiplier: 1, delta: 1e-4}
grid: {batch_size: [60]}
fixed: {learning_rate: 0.5, steps: 3}
`

// recordIn makes an empty record in dir, with the folder of its state.
func recordIn(t *testing.T, dir string) place {
	t.Helper()
	p := place{db: filepath.Join(dir, "results.db"), state: filepath.Join(dir, "results.d"), data: filepath.Join(dir, "data")}
	if err := os.MkdirAll(string(p.spool()), 0o700); err != nil {
		t.Fatal(err)
	}
	store, err := results.Open(t.Context(), p.db)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	return p
}

// wantFinding checks one finding, by parts of what it says.
func wantFinding(t *testing.T, f finding, verdict string, says ...string) {
	t.Helper()
	for _, part := range says {
		if !strings.Contains(f.Finding+"\n"+f.Remedy, part) {
			t.Errorf("%s: %q, remedy %q; want %q in it", f.Check, f.Finding, f.Remedy, part)
		}
	}
	if f.Verdict != verdict || verdict != "ok" && f.Remedy == "" {
		t.Errorf("%+v; want the verdict %q, with a remedy", f, verdict)
	}
}

func TestDoctorFindsNothing(t *testing.T) {
	t.Parallel()
	p := recordIn(t, t.TempDir())
	for _, f := range []finding{
		checkDisk(t.Context(), p), checkPermissions(t.Context(), p), checkClock(t.Context(), p), checkRecord(t.Context(), p),
		checkStore(t.Context(), p), checkServer(t.Context(), p), checkKey(t.Context(), p),
	} {
		wantFinding(t, f, "ok")
	}
}

func TestDoctorFindsWrongModes(t *testing.T) {
	t.Parallel()
	p := recordIn(t, t.TempDir())
	key := filepath.Join(p.state, "tls-key.pem")
	if err := os.WriteFile(key, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(key, 0o640); err != nil {
		t.Fatal(err)
	}
	wantFinding(t, checkPermissions(t.Context(), p), "bad", key+" (mode 0640) is open to others", "chmod -R go= ")
	if err := os.Chmod(p.db, 0o604); err != nil {
		t.Fatal(err)
	}
	wantFinding(t, checkPermissions(t.Context(), p), "bad", p.db+" (mode 0604) and 1 more are open to others")
}

func TestDoctorFindsDisks(t *testing.T) {
	t.Parallel()
	t.Run("full", func(t *testing.T) {
		dir := t.TempDir()
		disk := faults.SmallDisk(t, dir, "4m")
		if err := disk.Fill(); err != nil {
			t.Fatal(err)
		}
		p := place{db: filepath.Join(dir, "results.db"), state: filepath.Join(dir, "results.d")}
		wantFinding(t, checkDisk(t.Context(), p), "bad", "0.0 GiB free at "+dir, "free some space")
	})
	t.Run("read-only", func(t *testing.T) {
		dir := t.TempDir()
		p := recordIn(t, dir)
		faults.ReadOnly(t, dir)
		wantFinding(t, checkDisk(t.Context(), p), "bad", p.state+" cannot be written", "--db")
		wantFinding(t, checkPermissions(t.Context(), p), "bad", p.db, "cannot be written: read-only file system")
	})
}

// A clock that was ahead when the record was written, or a file system that has
// another time, is told.
func TestDoctorFindsClocks(t *testing.T) {
	t.Parallel()
	p := recordIn(t, t.TempDir())
	db, err := sql.Open("sqlite3", p.db)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	later := time.Now().Add(3 * time.Hour).UTC().Format("2006-01-02T15:04:05.000Z")
	for _, insert := range []string{
		`INSERT INTO sweeps (id, name, created, revision, state, reason, changed, accountant, delta, disclosure) VALUES ('s-1', 's', ?1, 1, 'running', '', ?1, 'rdp', 1e-5, 'research')`,
		`INSERT INTO revisions (sweep, number, created, file, text, accountant, delta, disclosure, versions) SELECT key, 1, ?1, 'f', '', 'rdp', 1e-5, 'research', '{}' FROM sweeps`,
	} {
		if _, err := db.Exec(insert, later); err != nil {
			t.Fatal(err)
		}
	}
	wantFinding(t, checkClock(t.Context(), p), "note", "sweep s-1 changed 3h0m0s from now", "NTP")
}

func TestDoctorFindsPayloadKeys(t *testing.T) {
	t.Parallel()
	p := recordIn(t, t.TempDir())
	p.payloadKey = filepath.Join(filepath.Dir(p.db), "key")
	wantFinding(t, checkKey(t.Context(), p), "bad", "no such file", "sweep payload-key FILE")
	if err := os.WriteFile(p.payloadKey, []byte("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantFinding(t, checkKey(t.Context(), p), "ok", "payload key ")
	release, err := claimRecord(p, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	wantFinding(t, checkKey(t.Context(), p), "bad", "has no payload key, and this one payload key")
}

// The trainer that a sweep file names is tried by its digest, and its data is
// looked for.
func TestDoctorReadsSweepFiles(t *testing.T) {
	t.Parallel()
	p := recordIn(t, t.TempDir())
	trainer := fakeTrainer(t)
	at := strings.LastIndex(trainer, `"}`)
	changed := trainer[:at-4] + "0000" + trainer[at:]
	for _, c := range []struct {
		text, verdict string
		says          []string
	}{
		{fmt.Sprintf(doctorGrid, "glyphs", trainer), "ok", []string{"answers, and has the sha256"}},
		{fmt.Sprintf(doctorGrid, "glyphs", changed), "bad", []string{"no file of the command has the sha256", "nothing was run", "sha256sum"}},
		{strings.Replace(fmt.Sprintf(doctorGrid, "mnist", ""), "model: fake", "model: linear", 1), "bad", []string{"mnist", "data.name"}},
		{"name: [", "bad", []string{"sweeps/README.md"}},
	} {
		file := filepath.Join(t.TempDir(), "grid.yaml")
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		found := checkFile(t.Context(), p, file)
		last := found[len(found)-1]
		last.Remedy += " " // a mistake in the file says itself what would be right
		wantFinding(t, last, c.verdict, c.says...)
	}
}
