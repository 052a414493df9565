package xla

import (
	"slices"
	"strings"
	"testing"

	"sweep"
	"sweep/trainerplugin/model"
	"sweep/trainerplugin/xla/stablehlotest"
)

// Large models and settings are lowered and well-formed; nothing runs here.
func TestModelsLower(t *testing.T) {
	cifar := model.Input{Height: 32, Width: 32, Channels: 3, Classes: 10}
	for _, c := range []Config{
		{Model: "wrn-16-4", Input: cifar, Views: 16, Microbatch: 128, Optimizer: sweep.Adam},
		{Model: "wrn-40-4", Input: cifar, Views: 1, Microbatch: 1024, Patches: true, Momentum: true},
		{Model: "nf-resnet-50", Input: model.Input{Height: 224, Width: 224, Channels: 3, Classes: 1000}, Views: 4, Microbatch: 8},
		{Model: "nfnet-f0", Input: model.Input{Height: 192, Width: 192, Channels: 3, Classes: 1000}, Views: 1, Microbatch: 8},
	} {
		c.Images, c.Pixels, c.Precision, c.Augment = 50000, U8, Brain, sweep.CropFlip
		p := must(t)(LowerStep(c))
		parsed, err := stablehlotest.Parse(p.Text)
		if err != nil {
			t.Errorf("%s: %v", c.Model, err)
			continue
		}
		// Everything that is the trial's state is donated to the result of its name.
		aliases := parsed.Aliases()
		for i, a := range p.Args {
			to, donated := aliases[i]
			state := slices.Contains([]string{Weights, Average, Moment0, Moment1}, a.Name)
			if donated != state || donated && p.Results[to].String() != a.String() {
				t.Errorf("%s: argument %v is donated: %t, to result %d", c.Model, a, donated, to)
			}
		}
		if m, err := c.MemoryBytes(); err != nil || m < int64(p.Args[p.Arg(Images)].Bytes()) || m > 64<<30 {
			t.Errorf("%s: %d bytes, error %v", c.Model, m, err)
		}
	}
}

func TestConfigsThatAreRefused(t *testing.T) {
	good := Config{Model: "linear", Input: small, Images: 4, Pixels: U8, Microbatch: 2, Precision: Full, Views: 1}
	for want, change := range map[string]func(*Config){
		"0 images; there are 1 to":                   func(c *Config) { c.Images = 0 },
		"microbatch of 0":                            func(c *Config) { c.Microbatch = 0 },
		`pixels of type "bf16"`:                      func(c *Config) { c.Pixels = BF16 },
		`precision "fp8"; there are [f32 tf32 bf16]`: func(c *Config) { c.Precision = "fp8" },
		"0 views":                    func(c *Config) { c.Views = 0 },
		`augmentation "mixup"`:       func(c *Config) { c.Augment = "mixup" },
		`clipping "psac"`:            func(c *Config) { c.Clipping = "psac" },
		`optimizer "lamb"`:           func(c *Config) { c.Optimizer = "lamb" },
		`unknown model "linea"`:      func(c *Config) { c.Model = "linea" },
		`no layer "conv9" to freeze`: func(c *Config) { c.Freeze = []model.Option{model.Freeze("conv9")} },
	} {
		c := good
		change(&c)
		if _, err := LowerStep(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
}
