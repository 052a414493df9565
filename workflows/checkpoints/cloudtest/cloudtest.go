// Package cloudtest runs, on 127.0.0.1 and for tests, servers that speak the
// protocols of Amazon S3, Google Cloud Storage and Azure Blob Storage, behind a
// proxy that answers as badly as a test asks for.
//
// S3 and Google's run in the test's own process. Azure's is Microsoft's Azurite,
// a Node program: where it is not installed its tests are skipped, and say so.
// Under the race detector all of them are: it would be minutes of compiling
// libraries that are not ours.
package cloudtest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gocloud.dev/blob"
)

// bucket is the name of the one bucket, or container, that each server has.
const bucket = "sweep-test"

// A Store is a part of a bucket that one test has to itself.
type Store struct {
	Name string // of the protocol
	URL  string // as --checkpoints takes it

	prefix string
	server *server
}

// Each runs test as a parallel subtest on a store of every protocol. What a program needs
// to find the stores, besides their URLs, is in this process's environment, which
// the programs that it starts inherit.
func Each(t *testing.T, test func(*testing.T, *Store)) {
	for _, s := range servers {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			s.once.Do(s.begin)
			if s.missing != "" {
				fmt.Fprintf(os.Stderr, "SKIPPED: %s: %s\n", t.Name(), s.missing)
				t.Skip(s.missing)
			}
			prefix := fmt.Sprintf("test%03d/", count.Add(1))
			store := &Store{Name: s.name, URL: s.url(prefix), prefix: prefix, server: s}
			t.Cleanup(func() { s.faults.Delete(prefix) })
			test(t, store)
		})
	}
}

var (
	servers = []*server{{name: "s3", start: startS3}, {name: "gcs", start: startGCS}, {name: "azure", start: startAzure}}
	count   atomic.Int64 // of stores
)

// A server answers for one protocol until the process ends.
type server struct {
	name  string
	start func(front func(http.Handler) *httptest.Server) (url func(prefix string) string, missing string)

	once    sync.Once
	url     func(prefix string) string
	missing string   // why there is none
	address string   // of the proxy
	faults  sync.Map // *failing by prefix
}

func (s *server) begin() {
	s.url, s.missing = s.start(func(h http.Handler) *httptest.Server {
		front := httptest.NewServer(s.proxy(h))
		s.address = front.URL
		return front
	})
}

// A Fault is a way in which a store answers badly.
type Fault struct {
	Status int           // of an answer, if not 0: 403, 503, …
	Delay  time.Duration // before an answer, or until the client hangs up
	Times  int           // that it happens before the store is well again; 0 is for ever
	Only   string        // if not "", this method alone
}

// Fail has the store answer with f from now on.
func (s *Store) Fail(f Fault) { s.server.faults.Store(s.prefix, &failing{Fault: f}) }

// Heal has the store answer well from now on.
func (s *Store) Heal() { s.server.faults.Delete(s.prefix) }

// Failed is how often the store has answered badly since it began to.
func (s *Store) Failed() int {
	f, ok := s.server.faults.Load(s.prefix)
	if !ok {
		return 0
	}
	return int(f.(*failing).happened.Load())
}

type failing struct {
	Fault
	happened atomic.Int64
}

// meets returns what happens to the request.
func (f *failing) meets(r *http.Request) Fault {
	if f.Only != "" && f.Only != r.Method {
		return Fault{}
	}
	if n := f.happened.Add(1); f.Times > 0 && n > int64(f.Times) {
		f.happened.Store(int64(f.Times))
		return Fault{}
	}
	return f.Fault
}

// proxy stands before a server. Every request for an object or a list names the
// prefix of the store that it is for, in its path or its query.
func (s *server) proxy(to http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f := s.fault(r)
		if f.Delay > 0 {
			select {
			case <-time.After(f.Delay):
			case <-r.Context().Done():
				return
			}
		}
		if f.Status != 0 {
			http.Error(w, http.StatusText(f.Status), f.Status)
			return
		}
		to.ServeHTTP(w, r)
	})
}

func (s *server) fault(r *http.Request) (f Fault) {
	named := strings.ReplaceAll(r.URL.String(), "%2F", "/")
	s.faults.Range(func(prefix, fault any) bool {
		of := strings.Contains(named, prefix.(string))
		if of {
			f = fault.(*failing).meets(r)
		}
		return !of
	})
	return f
}

// Bucket opens what the store holds, past the code under test.
func (s *Store) Bucket(t *testing.T) *blob.Bucket {
	t.Helper()
	b, err := blob.OpenBucket(context.Background(), s.server.url(""))
	if err != nil {
		t.Fatal(err)
	}
	b = blob.PrefixedBucket(b, s.prefix)
	t.Cleanup(func() { b.Close() })
	return b
}

// Keys lists what the store holds.
func (s *Store) Keys(t *testing.T) (keys []string) {
	t.Helper()
	list := s.Bucket(t).List(nil)
	for {
		o, err := list.Next(context.Background())
		if err == io.EOF {
			return keys
		}
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, o.Key)
	}
}

// Unfinished describes uploads in parts that were begun and neither completed nor
// given up, "" if there are none. Only S3 keeps such parts until somebody removes
// them; Azure's go by themselves after a week, Google's too.
func (s *Store) Unfinished(t *testing.T) string {
	t.Helper()
	if s.Name != "s3" {
		return ""
	}
	answer, err := http.Get(s.server.address + "/" + bucket + "?uploads&prefix=" + s.prefix)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("list uploads: %s, %v\n%s", answer.Status, err, text)
	}
	if !strings.Contains(string(text), "<Upload>") {
		return ""
	}
	return string(text)
}

// setenv is for variables that the cloud's library reads and has no other way to
// be told.
func setenv(variables map[string]string) {
	for name, value := range variables {
		if err := os.Setenv(name, value); err != nil {
			panic(err) // the names are constants of this package
		}
	}
}
