package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A report is what the check leaves.
type report struct {
	Schema  int       `json:"schema"`
	Began   time.Time `json:"began"`
	Seconds float64   `json:"seconds"`
	Device  string    `json:"device"`
	Plugin  string    `json:"plugin"`
	Version string    `json:"version"`
	JAX     string    `json:"jax,omitempty"`
	Opacus  string    `json:"opacus,omitempty"`
	Torch   string    `json:"torch,omitempty"`
	OK      bool      `json:"ok"`
	Checks  []result  `json:"checks"`
	Speed   []speed   `json:"speed"`

	MultiplyTFLOPS float64 `json:"bf16_multiply_tflops"`
}

// A result is one check's. Verdict is "ok", "FAIL" or "skipped".
type result struct {
	Check   string  `json:"check"`
	Verdict string  `json:"verdict"`
	Finding string  `json:"finding"`
	Seconds float64 `json:"seconds"`
}

// A speed is one line of throughput.
type speed struct {
	Program    string  `json:"program"` // "sweep", or the peer's name
	Model      string  `json:"model"`
	Taps       bool    `json:"tap_by_tap,omitempty"` // of sweep's weight gradients
	Views      int     `json:"views"`
	Precision  string  `json:"precision"`
	Batch      int     `json:"batch"`
	Microbatch int     `json:"microbatch,omitempty"`
	Images     float64 `json:"images_per_second,omitempty"` // views counted
	Share      float64 `json:"share_of_multiply_rate,omitempty"`
	Peak       int64   `json:"peak_bytes,omitempty"` // of the device's memory
	Compile    float64 `json:"compile_seconds,omitempty"`
	Problem    string  `json:"problem,omitempty"`

	Modes map[string]string `json:"modes,omitempty"` // of Opacus: what came of each; Program names the fastest
}

// write leaves r in file, whole or not at all.
func (r *report) write(file string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(file), ".gpu-check-*")
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// print writes the table of throughput and the verdict.
func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "\n%s, %s, %.0f TFLOP/s where it multiplies bf16 matrices\n\n", r.Device, r.Version, r.MultiplyTFLOPS)
	fmt.Fprintln(w, "| program | model | K | precision | batch | microbatch | images/s | of bf16 rate | peak memory |")
	fmt.Fprintln(w, "| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
	for _, s := range r.Speed {
		figures := []string{"–", "–", "–"}
		if s.Images > 0 {
			figures[0] = fmt.Sprintf("%.0f", s.Images)
		}
		if s.Share > 0 {
			figures[1] = fmt.Sprintf("%.1f %%", 100*s.Share)
		}
		if s.Peak > 0 {
			figures[2] = fmt.Sprintf("%.1f GB", float64(s.Peak)/1e9)
		}
		if s.Problem != "" {
			figures[0] = s.Problem
		}
		name := s.Program
		if s.Taps {
			name += ", tap by tap"
		}
		fmt.Fprintf(w, "| %s | %s | %d | %s | %d | %d | %s |\n", name, s.Model, s.Views, s.Precision, s.Batch, s.Microbatch, strings.Join(figures, " | "))
	}
	if texts := r.ratios(); len(texts) > 0 {
		fmt.Fprintf(w, "\n%s\n", strings.Join(texts, "\n"))
	}
	verdict := "all checks passed"
	if !r.OK {
		verdict = "NOT ALL CHECKS PASSED"
	}
	fmt.Fprintf(w, "\n%s in %.0f s\n", verdict, r.Seconds)
}

// ratios compare sweep with each peer, case by case.
func (r *report) ratios() (texts []string) {
	for _, ours := range r.Speed {
		for _, peer := range r.Speed {
			if ours.Program == program && !ours.Taps && peer.Program != program && ours.Images > 0 && peer.Images > 0 &&
				ours.Model == peer.Model && ours.Views == peer.Views && ours.Precision == peer.Precision {
				texts = append(texts, fmt.Sprintf("%s, K = %d: %.2f times %s", ours.Model, ours.Views, ours.Images/peer.Images, peer.Program))
			}
		}
	}
	return texts
}

// program is what our lines of throughput are called.
const program = "sweep"
