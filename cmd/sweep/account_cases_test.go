package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

// A program may ask one question, wait for its answer, and ask the next.
func TestCasesStream(t *testing.T) {
	questions, ask := io.Pipe()
	hear, answers := io.Pipe()
	done := make(chan error, 1)
	go func() {
		_, _, err := answerLines(t.Context(), questions, answers)
		answers.Close()
		done <- err
	}()
	lines := bufio.NewScanner(hear)
	for _, id := range []string{"1", `"two"`, "null"} {
		fmt.Fprintf(ask, `{"id":%s,"phases":[{"q":0.1,"sigma":3,"steps":10}],"delta":1e-5}`+"\n", id)
		if !lines.Scan() || !strings.HasPrefix(lines.Text(), `{"id":`+id+`,"epsilon":`) {
			t.Fatalf("question %s is answered by %q, %v", id, lines.Text(), lines.Err())
		}
	}
	ask.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Slow questions do not let quick ones past them, and equal events cost equally.
func TestCasesKeepOrder(t *testing.T) {
	const n = 200
	var in, out bytes.Buffer
	for i := range n {
		by := "rdp"
		if i%20 == 0 {
			by = "pld" // a hundred times as slow
		}
		fmt.Fprintf(&in, `{"id":%d,"accountant":%q,"phases":[{"q":0.1,"sigma":3,"steps":%d}],"delta":1e-5}`+"\n", i, by, 10+i%7)
	}
	unanswered, all, err := answerLines(t.Context(), &in, &out)
	if unanswered != 0 || all != n || err != nil {
		t.Fatalf("%d of %d unanswered, %v", unanswered, all, err)
	}
	seen := make(map[string]float64)
	for i := range n {
		line, err := out.ReadBytes('\n')
		var a struct {
			ID         int
			Accountant string
			Epsilon    float64
		}
		if err := errors.Join(err, json.Unmarshal(line, &a)); err != nil || a.ID != i || a.Epsilon <= 0 {
			t.Fatalf("answer %d is %s, %v", i, line, err)
		}
		key := fmt.Sprint(a.Accountant, i%7)
		if before, ok := seen[key]; ok && before != a.Epsilon {
			t.Errorf("question %d costs %v, an equal one %v", i, a.Epsilon, before)
		}
		seen[key] = a.Epsilon
	}
}

// Whoever reads the answers may go away while questions still come.
func TestCasesEndWithTheirReader(t *testing.T) {
	questions, ask := io.Pipe()
	defer ask.Close()
	go func() {
		for { // until the pipe is closed
			if _, err := fmt.Fprintln(ask, `{"phases":[{"q":0.1,"sigma":3,"steps":10}],"delta":1e-5}`); err != nil {
				return
			}
		}
	}()
	_, _, err := answerLines(t.Context(), questions, gone{})
	if !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("error %v, want the writer's", err)
	}
}

type gone struct{}

func (gone) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// Whatever a line holds, it is answered, by one line.
func FuzzCases(f *testing.F) {
	for _, line := range []string{
		`{"id":1,"phases":[{"q":0.1,"sigma":3,"steps":10}],"delta":1e-5}`,
		`{"phases":[{"sampling":"none","sigma":1,"steps":1}],"epsilon":1,"accountant":"rdp"}`,
		`{"audit":{"m":10,"r":5,"v":5}}`, `{"phases":[{}]}`, `[]`, `{"id":`,
		`{"phases":[{"event":{"type":"laplace","scale":1,"count":1}}],"epsilon":0.5}`,
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		// What would take long is left to the tests of package privacy.
		if bytes.ContainsAny(line, "\n\r") || len(bytes.TrimSpace(line)) == 0 || len(line) > 200 || bytes.Contains(line, []byte("calibrate")) {
			t.Skip()
		}
		var out bytes.Buffer
		unanswered, all, err := answerLines(t.Context(), bytes.NewReader(line), &out)
		if all != 1 || err != nil || bytes.Count(out.Bytes(), []byte("\n")) != 1 {
			t.Fatalf("%q: %d lines, %v, answer %q", line, all, err, out.Bytes())
		}
		var a struct{ Error string }
		if err := json.Unmarshal(out.Bytes(), &a); err != nil || (a.Error != "") != (unanswered == 1) {
			t.Errorf("%q: answer %q, %v", line, out.Bytes(), err)
		}
	})
}
