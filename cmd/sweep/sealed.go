package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sweep/workflows"
)

// queue is the task queue of this results file.
func (h *host) queue() string { return workflows.Sealed(workflows.ResultsQueue(h.record()), h.key()) }

// key is the id of the payload key in use, "" without one.
func (h *host) key() string {
	if len(h.keys) == 0 {
		return ""
	}
	return h.keys[0]
}

// served are the task queues that workers of this process ask in place of the
// given ones: those of each of its payload keys.
func (h *host) served(queues ...string) (all []string) {
	if len(h.keys) == 0 {
		return queues
	}
	for _, queue := range queues {
		for _, key := range h.keys {
			all = append(all, workflows.Sealed(queue, key))
		}
	}
	return all
}

// agreeWithin is how long a process that has just begun to serve a results file
// may take to say with which keys.
const agreeWithin = 2 * time.Second

// agree complains unless this process and the one that serves the results file
// can read each other's payloads. Nothing would come of what they ask of each
// other. Where no process of this machine serves the file, nobody can be asked.
func (h *host) agree(ctx context.Context) error {
	for limit := time.Now().Add(agreeWithin); ; {
		theirs, served := servedKeys(h.place)
		if served && reads(h.keys, theirs) && reads(theirs, h.keys) {
			return nil
		}
		if late := time.Now().After(limit); late && served {
			return &exitError{exitUsage, fmt.Errorf("the process that serves %s has %s, and this one %s; give both the same --payload-key (SWEEP_PAYLOAD_KEY)", h.db, keyText(theirs), keyText(h.keys))}
		} else if late || h.cluster && !served {
			return nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// agreed is the host once it agrees with the one it joined.
func (h *host) agreed(ctx context.Context) (*host, error) {
	if err := h.agree(ctx); err != nil {
		return nil, errors.Join(err, h.close())
	}
	return h, nil
}

// reads reports whether what is sealed with the first of their keys can be read
// with ours; without keys nothing is sealed, and nothing sealed is read.
func reads(ours, theirs []string) bool {
	if len(theirs) == 0 || len(ours) == 0 {
		return len(theirs) == len(ours)
	}
	return slices.Contains(ours, theirs[0])
}

func keyText(ids []string) string {
	switch len(ids) {
	case 0:
		return "no payload key"
	case 1:
		return "payload key " + ids[0]
	}
	return "payload keys " + strings.Join(ids, ", ")
}
