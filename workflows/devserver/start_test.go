package devserver

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A start that cannot work says where and why, and leaves the folder free.
func TestStartRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, c := range map[string]struct {
		o    Options
		want string
	}{
		"no folder":        {Options{Namespace: "n"}, "Dir and Namespace must be set"},
		"no namespace":     {Options{Dir: dir}, "Dir and Namespace must be set"},
		"short retention":  {Options{Dir: dir, Namespace: "n", Retention: time.Minute}, "retention 1m0s is below Temporal's minimum of 1h"},
		"bad prefix":       {Options{Dir: dir, Namespace: "n", Extra: map[string]http.Handler{"sweep": nil}}, `prefix "sweep" does not start and end with a slash`},
		"folder is a file": {Options{Dir: file, Namespace: "n"}, file},
		"UI port taken": {
			Options{Dir: dir, Namespace: "n", UI: true, UIPort: taken.Addr().(*net.TCPAddr).Port}, taken.Addr().String(),
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Start(t.Context(), c.o)
			if err == nil {
				s.Stop(t.Context())
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
		})
	}
	if _, err := Running(dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("after failed starts Running says %v", err)
	}
}

func TestStartGivesUpWithContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	if _, err := Start(ctx, Options{Dir: dir, Namespace: "n"}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if _, err := Running(dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("Running says %v", err)
	}
}

// The server's own answer to a taken port is to end the process.
func TestTakenPortIsAnError(t *testing.T) {
	o, err := Options{Dir: t.TempDir(), Namespace: "n"}.complete()
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{options: o, journal: newJournal(o)}
	for _, step := range []func(context.Context) error{s.readCertificates, s.openDatabase} {
		if err := step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if s.ports, err = freePorts(len(services)); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", localAddress(s.ports[0]))
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	if _, err := s.build(persistence(s.database)); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("got %v, want that the address is in use", err)
	}
}

func TestUIPortFallsBack(t *testing.T) {
	var ports [2]int
	for i := range ports {
		s := &Server{options: Options{UI: true}}
		if err := s.listenUI(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer s.ui.Close()
		ports[i] = s.ui.Addr().(*net.TCPAddr).Port
	}
	if ports[0] == ports[1] || ports[1] == defaultUIPort {
		t.Errorf("ports %v, want two, the second not %d", ports, defaultUIPort)
	}
}

func TestFreePorts(t *testing.T) {
	ports, err := freePorts(20)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for _, p := range ports {
		l, err := net.Listen("tcp", localAddress(p))
		if err != nil || p < firstPort || p > lastPort || seen[p] {
			t.Fatalf("port %d of %v: %v", p, ports, err)
		}
		defer l.Close()
		seen[p] = true
	}
}

func TestFreeSpace(t *testing.T) {
	if err := checkFreeSpace(t.TempDir()); err != nil {
		t.Error(err)
	}
	missing := filepath.Join(t.TempDir(), "missing")
	if err := checkFreeSpace(missing); err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("got %v, want an error that names the folder", err)
	}
	const want = "the disk of /sweeps has 15.9 MiB free; at least 16 MiB are needed"
	if err := enoughSpace("/sweeps", 159<<20/10); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if err := enoughSpace("/sweeps", 16<<20); err != nil {
		t.Errorf("16 MiB: %v", err)
	}
}

// A process killed while it made the tables leaves an empty database.
func TestTablesAreMadeAllOrNone(t *testing.T) {
	scripts, err := schemaScripts()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "temporal.db")
	err = prepareDatabase(t.Context(), file, []string{scripts[0], "CREATE nonsense"})
	if err == nil || !strings.Contains(err.Error(), file) {
		t.Fatalf("got %v, want an error that names the file", err)
	}
	if got := tables(t, file); got != 0 {
		t.Errorf("%d tables are left of a setup that did not end", got)
	}
	for range 2 { // the second finds them made
		if err := prepareDatabase(t.Context(), file, scripts); err != nil {
			t.Fatal(err)
		}
	}
	if got := tables(t, file); got == 0 {
		t.Error("no tables")
	}
}

func tables(t *testing.T, file string) (n int) {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow(`SELECT count(*) FROM sqlite_master`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestDamagedDatabase(t *testing.T) {
	file := filepath.Join(t.TempDir(), "temporal.db")
	if err := os.WriteFile(file, []byte(strings.Repeat("not a database ", 1000)), 0o644); err != nil {
		t.Fatal(err)
	}
	scripts, err := schemaScripts()
	if err != nil {
		t.Fatal(err)
	}
	err = prepareDatabase(t.Context(), file, scripts)
	if err == nil || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "move it away") {
		t.Errorf("got %v, want the file and what to do", err)
	}
}

// The name must change with any byte of the schema, and with nothing else.
func TestDatabaseFileIsNamedForSchema(t *testing.T) {
	a := databaseFile("/d", []string{"one", "two"})
	if b := databaseFile("/d", []string{"one", "two"}); a != b {
		t.Errorf("%s and %s for the same schema", a, b)
	}
	for _, other := range [][]string{{"one", "twO"}, {"two", "one"}, {"onet", "wo"}} {
		if b := databaseFile("/d", other); a == b {
			t.Errorf("%s for %v too", a, other)
		}
	}
}
