package main

import (
	"slices"
	"strings"
	"testing"
)

func TestParseGPUs(t *testing.T) {
	for _, c := range []struct {
		visible, spec string
		want          []string
		wrong         string
	}{
		{"0,1,2,3,4,5,6,7", "8", numbered(8), ""},
		{"4,5,6", "2", []string{"4", "5"}, ""},
		{"4,5", "all", []string{"4", "5"}, ""},
		{"4,5,-1,6", "all", []string{"4", "5"}, ""}, // as CUDA reads it
		{"4", "", nil, ""},
		{"4", "0", nil, ""},
		{"4", "0,", []string{"0"}, ""},
		{"4", "0, 2", []string{"0", "2"}, ""},
		{"4", "GPU-8932f937", []string{"GPU-8932f937"}, ""},
		{"4,5", "3", nil, "--gpus 3: this process may use 2: 4, 5"},
		{"", "all", nil, "names no GPU"},
		{"4", "1,1", nil, "1 is there twice"},
		{"4", "-2", nil, "give a number"},
	} {
		t.Setenv("CUDA_VISIBLE_DEVICES", c.visible)
		got, err := parseGPUs(c.spec)
		if c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)) {
			t.Errorf("--gpus %q of %q: error %v, want one that says %q", c.spec, c.visible, err, c.wrong)
		}
		if c.wrong == "" && (err != nil || !slices.Equal(got, c.want)) {
			t.Errorf("--gpus %q of %q: %q, %v; want %q", c.spec, c.visible, got, err, c.want)
		}
	}
}
