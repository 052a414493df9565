package main

import (
	"bufio"
	"bytes"
	"cmp"
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

	"sweep/trainerplugin/model"
	"sweep/trainerplugin/xla"
)

// A peer is a library that runs the same cases on the same device, by a script
// that goes to Python as its command line.
type peer struct {
	name         string
	file, script string
	python       string        // the program; "" leaves the peer out
	limit        time.Duration // of the script
	grace        time.Duration // the script begins no case that late before its limit
}

//go:embed peer.py
var peerScript string

//go:embed peer_opacus.py
var opacusScript string

// jax gets the time that is left, and begins nothing in its last minute, which
// compiling alone takes.
func (c *checker) jax() peer {
	return peer{"JAX", "peer.py", peerScript, c.python, c.left(), time.Minute}
}

// opacus gets no more than a third of the time that is left: JAX, which comes
// after it, is what our targets are set against. It compiles nothing.
func (c *checker) opacus() peer {
	return peer{"Opacus", "peer_opacus.py", opacusScript, c.opacusPython, min(100*time.Second, c.left()/3), 20 * time.Second}
}

func (c *checker) left() time.Duration { return c.limit - time.Since(c.report.Began) }

// A peerTask is what a script reads from its standard input.
type peerTask struct {
	Device    string        `json:"device"` // "cuda" or "cpu"; JAX finds its own
	Precision xla.Precision `json:"precision"`
	Seconds   float64       `json:"seconds"` // it begins nothing later
	Cases     []peerCase    `json:"cases"`
}

// A peerCase is what a script measures.
type peerCase struct {
	Model      string           `json:"model"`
	Views      int              `json:"views"`
	Batch      int              `json:"batch"`
	Microbatch int              `json:"microbatch"`
	Steps      int              `json:"steps"`
	Tensors    map[string][]int `json:"tensors"`
}

// peerLine is what a script says: of itself first, then of each case.
type peerLine struct {
	JAX, Opacus, Torch string // versions
	Device, Platform   string

	Label, Kind, Model string
	Views              int
	Images             float64 `json:"images_per_second"`
	Microbatch         int
	Compile            float64           `json:"compile_seconds"`
	Peak               int64             `json:"peak_bytes"`
	Modes              map[string]string // of Opacus, with what came of each
	Skipped, Error     string
}

// peers has p run the cases of the plan, if there is a Python that has it.
func (c *checker) peers(ctx context.Context, p peer) (string, error) {
	if p.python == "" {
		return "", errSkipped("no Python was named")
	}
	python, err := exec.LookPath(p.python)
	if err != nil {
		return "", errSkipped(fmt.Sprintf("there is no Python: %v", err))
	}
	cases, precision, err := c.peerCases()
	if err != nil || len(cases) == 0 {
		return "", errors.Join(err, errSkipped("there is no case to compare"))
	}
	task, err := json.Marshal(peerTask{c.deviceName(), precision, (p.limit - p.grace).Seconds(), cases})
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, p.limit)
	defer cancel()
	var said bytes.Buffer
	command := exec.CommandContext(ctx, python, "-c", p.script)
	command.Env = append(os.Environ(), "PYTHONSAFEPATH=1")
	command.Dir, command.Stdin, command.Stderr, command.WaitDelay = "/", bytes.NewReader(task), &said, 5*time.Second
	out, err := command.Output()
	measured, version, readErr := c.readPeers(p, out, precision, cases)
	switch {
	case measured > 0:
		return fmt.Sprintf("%d figures by %s", measured, version), readErr
	case strings.Contains(said.String(), "No module named"):
		return "", errSkipped(fmt.Sprintf("the Python has no %s: %s", p.name, lastLine(said.String())))
	case ctx.Err() != nil:
		return "", errSkipped(fmt.Sprintf("%s measured nothing in its %.0f s", p.name, p.limit.Seconds()))
	case err != nil:
		return "", fmt.Errorf("%s: %w: %s", p.file, err, lastLine(said.String()))
	}
	return "", errors.Join(readErr, fmt.Errorf("%s measured nothing", p.name))
}

// deviceName is PyTorch's for what the plugin drives.
func (c *checker) deviceName() string {
	if c.device.Platform == "cpu" {
		return "cpu"
	}
	return "cuda"
}

// peerCases are those of the plan, with a microbatch of 2048 images to begin with.
func (c *checker) peerCases() (cases []peerCase, precision xla.Precision, err error) {
	for _, s := range c.plan.speed {
		if s.taps {
			continue // peers have no such choice
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

// readPeers takes up what p's script wrote. It returns how many figures there are,
// and what measured them.
func (c *checker) readPeers(p peer, out []byte, precision xla.Precision, cases []peerCase) (measured int, version string, err error) {
	var skipped, broken string
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		var l peerLine
		if e := json.Unmarshal(lines.Bytes(), &l); e != nil {
			return measured, version, fmt.Errorf("%s wrote %.80q: %w", p.file, lines.Text(), e)
		}
		if l.Platform != "" {
			version = p.name + " " + l.JAX
			if l.JAX != "" {
				c.report.JAX = l.JAX
			} else {
				c.report.Opacus, c.report.Torch = l.Opacus, l.Torch
				version = fmt.Sprintf("%s %s, PyTorch %s", p.name, l.Opacus, l.Torch)
			}
			if (l.Platform == "cpu") != (c.device.Platform == "cpu") {
				return 0, version, errSkipped(fmt.Sprintf("%s has no device but %s", version, l.Device))
			}
			continue
		}
		i := slices.IndexFunc(cases, func(p peerCase) bool { return p.Model == l.Model && p.Views == l.Views })
		if i < 0 {
			return measured, version, fmt.Errorf("%s speaks of %s, K = %d", p.file, l.Model, l.Views)
		}
		c.report.Speed = append(c.report.Speed, speed{
			Program: l.Label, Model: l.Model, Views: l.Views, Precision: string(precision), Batch: cases[i].Batch, Microbatch: l.Microbatch,
			Images: l.Images, Peak: l.Peak, Compile: l.Compile, Modes: l.Modes, Problem: l.Skipped + l.Error,
		})
		if l.Images > 0 {
			measured++
		}
		skipped, broken = cmp.Or(skipped, l.Skipped), cmp.Or(broken, l.Error)
	}
	if measured == 0 && broken != "" {
		return 0, version, errors.New(broken)
	}
	if measured == 0 && skipped != "" {
		return 0, version, errSkipped(skipped)
	}
	return measured, version, nil
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}
