package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"

	"github.com/urfave/cli/v2"
)

// accountCases answers a file of questions, "-" for standard input.
func accountCases(c *cli.Context, path string) error {
	if c.IsSet("output") && c.String("output") != "jsonl" {
		return usagef("-o %s: answers to --cases come as jsonl, one a line", c.String("output"))
	}
	in := io.Reader(os.Stdin)
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return &exitError{exitUsage, err}
		}
		defer file.Close()
		in = file
	}
	unanswered, all, err := answerLines(c.Context, in, c.App.Writer)
	if unanswered > 0 {
		fmt.Fprintf(c.App.ErrWriter, "%d of %d questions have no answer; their lines say why under \"error\"\n", unanswered, all)
	}
	return err
}

// answerLines writes one line for each line of in, in their order, each as soon
// as those before it are written. Empty lines are no questions.
func answerLines(ctx context.Context, in io.Reader, out io.Writer) (unanswered, all int, err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	workers := runtime.GOMAXPROCS(0)
	work := make(chan lineOfCase)
	order := make(chan lineOfCase, 64*workers) // questions read ahead of the oldest answer
	var reading error
	go func() {
		defer close(work)
		defer close(order)
		reading = readCases(ctx, in, func(l lineOfCase) bool {
			for _, to := range []chan lineOfCase{order, work} {
				select {
				case to <- l:
				case <-ctx.Done():
					return false
				}
			}
			return true
		})
	}()
	var known prices
	var working sync.WaitGroup
	for range workers {
		working.Go(func() {
			for {
				select {
				case l, ok := <-work:
					if !ok {
						return
					}
					l.answered <- l.answer(&known)
				case <-ctx.Done():
					return
				}
			}
		})
	}
	defer working.Wait()
	defer stop() // before waiting
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	for l := range order {
		var a privacyAnswer
		select {
		case a = <-l.answered:
		case <-ctx.Done():
			return unanswered, all, ctx.Err()
		}
		if all++; a.Error != "" {
			unanswered++
		}
		if err := enc.Encode(a); err != nil {
			return unanswered, all, err
		}
	}
	return unanswered, all, errors.Join(reading, ctx.Err())
}

// A lineOfCase is a question on its way to an answer.
type lineOfCase struct {
	number   int
	text     []byte
	answered chan privacyAnswer // takes one
}

func readCases(ctx context.Context, in io.Reader, yield func(lineOfCase) bool) error {
	r := bufio.NewReader(in)
	for number := 1; ctx.Err() == nil; number++ {
		text, err := r.ReadBytes('\n')
		if text = bytes.TrimSpace(text); len(text) > 0 && !yield(lineOfCase{number, text, make(chan privacyAnswer, 1)}) {
			return nil
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read question %d: %w", number, err)
		}
	}
	return nil
}

// answer never fails: what is wrong with a line is in its answer.
func (l lineOfCase) answer(known *prices) privacyAnswer {
	q, err := parseCase(l.text)
	var a privacyAnswer
	if err == nil {
		a, err = q.answer(known)
	}
	if err != nil {
		return privacyAnswer{ID: q.ID, Line: l.number, Error: err.Error(), Seconds: a.Seconds}
	}
	return a
}

// parseCase reads a question. A field that is not known is refused, since a
// question that is half understood would be answered wrongly; its id is read all
// the same.
func parseCase(text []byte) (privacyQuestion, error) {
	var q privacyQuestion
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	err := d.Decode(&q)
	if err == nil && d.More() {
		err = errors.New("there is more than one JSON object on the line")
	}
	if err != nil {
		var only struct{ ID json.RawMessage }
		json.Unmarshal(text, &only) // what cannot be read has no id
		return privacyQuestion{ID: only.ID}, fmt.Errorf("read question: %w", err)
	}
	return q, nil
}
