package main

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"sweep/trainerplugin/dpsgd"
	"sweep/trainerplugin/model"
	"sweep/trainerplugin/xla"
)

// speed times whole steps of one case: views, gradients, clipping, noise, update.
func (c *checker) speed(ctx context.Context, s speedCase) (_ string, err error) {
	line := speed{Program: program, Taps: s.taps, Model: s.model, Views: s.views, Precision: string(s.precision), Batch: s.batch}
	defer func() {
		if err != nil {
			line.Problem = "failed"
		}
		c.report.Speed = append(c.report.Speed, line)
	}()
	p := params(s.model, s.batch, s.views)
	x, _, err := c.executor(p, s.precision, s.microbatch, s.taps)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	weights := x.Init(p.Seed)
	average := make([]float64, len(weights))
	began := time.Now()
	if err := x.Load(dpsgd.State{Weights: weights, Average: average}); err != nil {
		return "", err
	}
	line.Compile, line.Microbatch = time.Since(began).Seconds(), x.Microbatch()
	u := &dpsgd.Update{Members: make([]int, s.batch), NoiseStd: 1, Batch: float64(s.batch), LearnRate: 0.1, EMA: 0.9}
	for i := range u.Members {
		u.Members[i] = i
	}
	var times []float64
	for u.Step = 1; u.Step <= 1+c.plan.timed; u.Step++ {
		began := time.Now()
		if _, err := x.Step(ctx, u); err != nil {
			return "", err
		}
		if u.Step > 1 {
			times = append(times, time.Since(began).Seconds())
		}
	}
	slices.Sort(times)
	line.Images = float64(s.batch*s.views) / times[len(times)/2]
	if d, err := model.Describe(s.model, inputOf(s.model), s.views, 1); err == nil && c.report.MultiplyTFLOPS > 0 {
		line.Share = line.Images * float64(d.ExampleFLOP) / (c.report.MultiplyTFLOPS * 1e12)
	}
	if m, err := c.device.Memory(); err == nil {
		line.Peak = m.Peak // since the beginning: the largest case so far
	}
	return fmt.Sprintf("%.0f images/s, %s", line.Images, x.About()), nil
}

//go:embed peer.py
var peerScript string

// A peerCase is what peer.py measures.
type peerCase struct {
	Model      string           `json:"model"`
	Views      int              `json:"views"`
	Batch      int              `json:"batch"`
	Microbatch int              `json:"microbatch"`
	Steps      int              `json:"steps"`
	Tensors    map[string][]int `json:"tensors"`
}

// peerLine is what it says: of itself first, then of each case.
type peerLine struct {
	JAX, Device, Platform string

	Label, Kind, Model string
	Views              int
	Images             float64 `json:"images_per_second"`
	Microbatch         int
	Compile            float64 `json:"compile_seconds"`
	Parameters         int
	Skipped, Error     string
}

// peers has JAX run the same cases, if there is a Python that has it.
func (c *checker) peers(ctx context.Context) (string, error) {
	if c.python == "" {
		return "", errSkipped("no Python was named")
	}
	python, err := exec.LookPath(c.python)
	if err != nil {
		return "", errSkipped(fmt.Sprintf("there is no Python: %v", err))
	}
	left := c.limit - time.Since(c.report.Began)
	cases, precision, err := c.peerCases()
	if err != nil || len(cases) == 0 {
		return "", errors.Join(err, errSkipped("there is no case to compare"))
	}
	// It begins nothing that would be cut off: compiling alone takes a minute.
	task, err := json.Marshal(map[string]any{"precision": precision, "seconds": (left - time.Minute).Seconds(), "cases": cases})
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	var said bytes.Buffer
	command := exec.CommandContext(ctx, python, "-c", peerScript)
	command.Env = append(os.Environ(), "PYTHONSAFEPATH=1")
	command.Dir, command.Stdin, command.Stderr, command.WaitDelay = "/", bytes.NewReader(task), &said, 5*time.Second
	out, err := command.Output()
	measured, readErr := c.readPeers(out, precision, cases)
	switch {
	case measured > 0:
		return fmt.Sprintf("%d figures by JAX %s", measured, c.report.JAX), readErr
	case strings.Contains(said.String(), "No module named"):
		return "", errSkipped("the Python has no JAX: " + lastLine(said.String()))
	case err != nil:
		return "", fmt.Errorf("peer.py: %w: %s", err, lastLine(said.String()))
	}
	return "", errors.Join(readErr, errors.New("JAX measured nothing"))
}

// peerCases are those of the plan, with what ours found for a microbatch.
func (c *checker) peerCases() (cases []peerCase, precision xla.Precision, err error) {
	for _, s := range c.plan.speed {
		if s.taps {
			continue // JAX has no such choice
		}
		p := peerCase{Model: s.model, Views: s.views, Batch: s.batch, Microbatch: 1, Steps: c.plan.timed, Tensors: make(map[string][]int)}
		for p.Microbatch*2 <= min(s.batch, max(1, 2048/s.views)) && s.batch%(p.Microbatch*2) == 0 {
			p.Microbatch *= 2
		}
		e, err := model.New(s.model, inputOf(s.model), 1)
		if err != nil {
			return nil, "", err
		}
		for _, t := range e.Tensors() {
			p.Tensors[t.Name] = t.Shape
		}
		cases, precision = append(cases, p), s.precision
	}
	return cases, precision, nil
}

// readPeers takes up what peer.py wrote, and returns how many figures there are.
func (c *checker) readPeers(out []byte, precision xla.Precision, cases []peerCase) (measured int, err error) {
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		var l peerLine
		if e := json.Unmarshal(lines.Bytes(), &l); e != nil {
			return measured, fmt.Errorf("peer.py wrote %.80q: %w", lines.Text(), e)
		}
		if l.JAX != "" {
			c.report.JAX = l.JAX
			if (l.Platform == "cpu") != (c.device.Platform == "cpu") {
				return 0, errSkipped(fmt.Sprintf("JAX %s has no device but %s", l.JAX, l.Device))
			}
			continue
		}
		i := slices.IndexFunc(cases, func(p peerCase) bool { return p.Model == l.Model && p.Views == l.Views })
		if i < 0 {
			return measured, fmt.Errorf("peer.py speaks of %s, K = %d", l.Model, l.Views)
		}
		c.report.Speed = append(c.report.Speed, speed{
			Program: l.Label, Model: l.Model, Views: l.Views, Precision: string(precision), Batch: cases[i].Batch,
			Microbatch: l.Microbatch, Images: l.Images, Compile: l.Compile, Problem: l.Skipped + l.Error,
		})
		if l.Images > 0 {
			measured++
		}
	}
	return measured, nil
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}
