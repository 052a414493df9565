package dataset

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// letters is a published file of 100,000 bytes that do not repeat soon.
func letters() []byte {
	data := make([]byte, 100_000)
	for i := range data {
		data[i] = byte(i*i>>3 ^ i)
	}
	return data
}

// publish adds a listing of one file to the catalog for the length of a test.
func publish(t *testing.T, data []byte, urls ...string) {
	t.Helper()
	digest, size, err := md5Of(t.Context(), strings.NewReader(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	old := catalog
	t.Cleanup(func() { catalog = old })
	catalog = append(slices.Clone(old), &listing{
		name: "letters", folders: []string{"letters"},
		files: []published{{name: "letters.bin", size: size, md5: digest, urls: urls}},
		locate: func(_ *listing, folder string) (place, error) {
			path := filepath.Join(folder, "letters.bin")
			if !exists(path) {
				return place{}, ErrMissing
			}
			return place{form: "letters", path: folder, files: []string{path}}, nil
		},
		read: func(_ context.Context, l *listing, at place) (*Set, error) { return l.newSet(at), nil },
	})
}

// A fileServer serves data and can be told to misbehave.
type fileServer struct {
	data     []byte
	noRange  bool
	cutAfter int // bytes of each answer after which the connection breaks; 0 never
	status   int // answered instead; 0 for none
	hang     bool

	mu     sync.Mutex
	ranges []string // the Range header of each request
}

func (m *fileServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	m.ranges = append(m.ranges, r.Header.Get("Range"))
	m.mu.Unlock()
	if m.status != 0 {
		http.Error(w, "no", m.status)
		return
	}
	from := 0
	if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); err == nil && !m.noRange {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(m.data)-1, len(m.data)))
		w.Header().Set("Content-Length", fmt.Sprint(len(m.data)-from))
		w.WriteHeader(http.StatusPartialContent)
	} else {
		from = 0
		w.Header().Set("Content-Length", fmt.Sprint(len(m.data)))
	}
	body := m.data[from:]
	if m.cutAfter > 0 && len(body) > m.cutAfter {
		w.Write(body[:m.cutAfter])
		w.(http.Flusher).Flush()
		if m.hang {
			<-r.Context().Done()
		}
		panic(http.ErrAbortHandler)
	}
	w.Write(body)
}

func serve(t *testing.T, m *fileServer) string {
	t.Helper()
	s := httptest.NewServer(m)
	t.Cleanup(s.Close)
	return s.URL + "/letters.bin"
}

// fetched checks that the file is whole, private, and that nothing is left over.
func fetched(t *testing.T, dir string) {
	t.Helper()
	path := filepath.Join(dir, "letters", "letters.bin")
	got, err := os.ReadFile(path)
	if err != nil || !slices.Equal(got, letters()) {
		t.Errorf("%d bytes, error %v; want the published file", len(got), err)
	}
	for path, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: mode %v, error %v; want %v", path, info.Mode().Perm(), err, want)
		}
	}
	if exists(path + ".part") {
		t.Error("the .part file is still there")
	}
}

func TestFetch(t *testing.T) {
	m := &fileServer{data: letters()}
	publish(t, letters(), serve(t, m))
	dir := t.TempDir()
	var last FetchProgress
	tell := func(p FetchProgress) {
		if p.File != "letters.bin" || p.Done < last.Done || p.Total != 100_000 {
			t.Errorf("progress %+v after %+v", p, last)
		}
		last = p
	}
	if err := Fetch(t.Context(), dir, "letters", FetchOptions{Progress: tell}); err != nil {
		t.Fatal(err)
	}
	fetched(t, dir)
	if !last.Finished || last.WasThere || last.Done != 100_000 {
		t.Errorf("last progress %+v, want all of it, finished", last)
	}
	last = FetchProgress{}
	if err := Fetch(t.Context(), dir, "letters", FetchOptions{Progress: tell}); err != nil {
		t.Fatal(err)
	}
	if !last.WasThere || len(m.ranges) != 1 {
		t.Errorf("a second fetch made %d requests; last progress %+v", len(m.ranges)-1, last)
	}
	if r, err := Verify(t.Context(), dir, "letters"); !strings.Contains(fmt.Sprint(r.Checked), "MD5 as published") {
		t.Errorf("report %+v, error %v", r, err)
	}
}

// A connection that breaks every 30,000 bytes: each request goes on where the last
// one ended, and a later Fetch where an earlier one gave up.
func TestFetchResumes(t *testing.T) {
	m := &fileServer{data: letters(), cutAfter: 30_000}
	publish(t, letters(), serve(t, m))
	dir := t.TempDir()
	if err := Fetch(t.Context(), dir, "letters", FetchOptions{}); err != nil {
		t.Fatal(err)
	}
	fetched(t, dir)
	if want := []string{"", "bytes=30000-", "bytes=60000-", "bytes=90000-"}; !slices.Equal(m.ranges, want) {
		t.Errorf("ranges %q, want %q", m.ranges, want)
	}
}

func TestFetchGoesOnAfterAnEarlierOne(t *testing.T) {
	m := &fileServer{data: letters()}
	publish(t, letters(), serve(t, m))
	dir := t.TempDir()
	write(t, filepath.Join(dir, "letters", "letters.bin.part"), letters()[:77_777])
	if err := Fetch(t.Context(), dir, "letters", FetchOptions{}); err != nil {
		t.Fatal(err)
	}
	fetched(t, dir)
	if want := []string{"bytes=77777-"}; !slices.Equal(m.ranges, want) {
		t.Errorf("ranges %q, want %q", m.ranges, want)
	}
}

// What an earlier fetch left may be rubbish, or more than there should be.
func TestFetchStartsOverAfterRubbish(t *testing.T) {
	for name, part := range map[string][]byte{"rubbish": make([]byte, 500), "whole but wrong": make([]byte, 100_000), "too long": make([]byte, 100_001)} {
		m := &fileServer{data: letters()}
		publish(t, letters(), serve(t, m))
		dir := t.TempDir()
		write(t, filepath.Join(dir, "letters", "letters.bin.part"), part)
		if err := Fetch(t.Context(), dir, "letters", FetchOptions{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		fetched(t, dir)
	}
}

func TestFetchFromServerWithoutRange(t *testing.T) {
	m := &fileServer{data: letters(), noRange: true}
	publish(t, letters(), serve(t, m))
	dir := t.TempDir()
	write(t, filepath.Join(dir, "letters", "letters.bin.part"), letters()[:50_000])
	if err := Fetch(t.Context(), dir, "letters", FetchOptions{}); err != nil {
		t.Fatal(err)
	}
	fetched(t, dir)
}

func TestFetchTriesEachMirror(t *testing.T) {
	wrong := letters()
	wrong[5]++
	gone, damaged, breaks, good := &fileServer{status: 404}, &fileServer{data: wrong}, &fileServer{data: letters(), noRange: true, cutAfter: 10}, &fileServer{data: letters()}
	publish(t, letters(), serve(t, gone), serve(t, damaged), serve(t, breaks), serve(t, good))
	dir := t.TempDir()
	if err := Fetch(t.Context(), dir, "letters", FetchOptions{}); err != nil {
		t.Fatal(err)
	}
	fetched(t, dir)
	for name, m := range map[string]*fileServer{"404": gone, "damaged": damaged} {
		if len(m.ranges) != 1 {
			t.Errorf("%s mirror was asked %d times, want once", name, len(m.ranges))
		}
	}
}

// Nothing gets the file's own name unless it is the published one.
func TestFetchFailures(t *testing.T) {
	wrong := letters()
	wrong[5]++
	for name, c := range map[string]struct {
		m    *fileServer
		want string
	}{
		"not found":    {&fileServer{status: 404}, "/letters.bin: 404 Not Found"},
		"broken":       {&fileServer{status: 500}, "500 Internal Server Error"},
		"wrong digest": {&fileServer{data: wrong}, ErrDigest.Error() + ": MD5 "},
		"too short":    {&fileServer{data: letters()[:99]}, "unexpected EOF"},
		"too long":     {&fileServer{data: append(letters(), 0)}, "more than the published 100000 bytes"},
		"stalls":       {&fileServer{data: letters(), cutAfter: 10, hang: true}, "nothing came in for 20ms"},
	} {
		t.Run(name, func(t *testing.T) {
			publish(t, letters(), serve(t, c.m))
			dir := t.TempDir()
			err := Fetch(t.Context(), dir, "letters", FetchOptions{Stall: 20 * time.Millisecond})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one that says %q", err, c.want)
			}
			if strings.Contains(c.want, ErrDigest.Error()) && !errors.Is(err, ErrDigest) {
				t.Errorf("error %v, want ErrDigest", err)
			}
			if exists(filepath.Join(dir, "letters", "letters.bin")) {
				t.Error("a file that is not the published one got its name")
			}
		})
	}
}

func TestFetchOverwritesNothing(t *testing.T) {
	m := &fileServer{data: letters()}
	publish(t, letters(), serve(t, m))
	dir := t.TempDir()
	path := filepath.Join(dir, "letters", "letters.bin")
	write(t, path, []byte("my own"))
	err := Fetch(t.Context(), dir, "letters", FetchOptions{})
	if !errors.Is(err, ErrDigest) || !strings.Contains(err.Error(), "move it away") {
		t.Errorf("error %v, want ErrDigest and what to do", err)
	}
	if got, _ := os.ReadFile(path); string(got) != "my own" {
		t.Errorf("the file is now %q", got)
	}
	// Verify says the same, with both digests and sizes; the first digest is md5sum's.
	_, err = Verify(t.Context(), dir, "letters")
	for _, want := range []string{path, "MD5 43a3501148125261ae7acf7062fe2937", "published", "6 bytes, published 100000"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("verify: error %v does not say %q", err, want)
		}
	}
}

func TestFetchStopsWithContext(t *testing.T) {
	m := &fileServer{data: letters(), cutAfter: 10, hang: true}
	publish(t, letters(), serve(t, m))
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	dir := t.TempDir()
	err := Fetch(ctx, dir, "letters", FetchOptions{Progress: func(FetchProgress) { cancel(why) }})
	if !errors.Is(err, why) {
		t.Errorf("error %v, want %v", err, why)
	}
}

func TestFetchLocksOutOthers(t *testing.T) {
	m := &fileServer{data: letters()}
	publish(t, letters(), serve(t, m))
	dir := t.TempDir()
	path := filepath.Join(dir, "letters", "letters.bin.part")
	write(t, path, nil)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := lockFile(f); err != nil {
		t.Fatal(err)
	}
	if err := Fetch(t.Context(), dir, "letters", FetchOptions{}); err == nil || !strings.Contains(err.Error(), "another process is downloading it") {
		t.Errorf("error %v", err)
	}
}

func TestFetchRedirects(t *testing.T) {
	good := serve(t, &fileServer{data: letters()})
	for target, want := range map[string]string{
		good:                             "",
		"http://example.invalid/x":       "only https is followed",
		"http://localhost.example/x":     "only https is followed",
		"http://10.0.0.1/x":              "only https is followed",
		"ftp://127.0.0.1/x":              "only https is followed",
		"http://user:secret@example.org": "user:xxxxx@example.org: only https is followed",
	} {
		s := httptest.NewServer(http.RedirectHandler(target, http.StatusFound))
		defer s.Close()
		publish(t, letters(), "https://unused.invalid/")
		// BaseURL takes the place of the published addresses.
		err := Fetch(t.Context(), t.TempDir(), "letters", FetchOptions{BaseURL: s.URL + "/"})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("redirect to %s: error %v, want %q", target, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("the error tells a password: %v", err)
		}
	}
}

func TestFetchOfNothing(t *testing.T) {
	for name, want := range map[string]string{"glyphs": "not downloaded", "folder:x": "not downloaded", "minst": ErrUnknown.Error()} {
		if err := Fetch(t.Context(), t.TempDir(), name, FetchOptions{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", name, err, want)
		}
	}
}
