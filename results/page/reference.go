package page

import (
	"fmt"
	"math"
	"strings"

	"sweep"
	"sweep/results/chart"
)

// A reference is an accuracy that somebody has published, on a test set.
type reference struct {
	data, model string // model is "" where another than ours
	delta       float64
	epsilon     float64
	accuracy    float64 // per cent
	who         string
}

// Where the paper's tables could not be read, their numbers are from memory or as
// other papers quote them, and say so.
const (
	de2022   = "De et al. 2022 (arXiv 2204.13650)"
	recalled = de2022 + ", from memory"
	quoted   = de2022 + ", as quoted by others"
)

var published = []reference{
	{"cifar10", "wrn-16-4", 1e-5, 1, 56.8, recalled}, {"cifar10", "wrn-16-4", 1e-5, 2, 64.9, recalled}, {"cifar10", "wrn-16-4", 1e-5, 3, 69.2, recalled},
	{"cifar10", "wrn-16-4", 1e-5, 4, 71.9, recalled}, {"cifar10", "wrn-16-4", 1e-5, 6, 77.0, recalled}, {"cifar10", "wrn-16-4", 1e-5, 8, 79.5, quoted},
	{"cifar10", "wrn-40-4", 1e-5, 1, 56.4, recalled}, {"cifar10", "wrn-40-4", 1e-5, 2, 65.9, recalled}, {"cifar10", "wrn-40-4", 1e-5, 3, 70.7, recalled},
	{"cifar10", "wrn-40-4", 1e-5, 4, 73.5, recalled}, {"cifar10", "wrn-40-4", 1e-5, 6, 78.8, recalled}, {"cifar10", "wrn-40-4", 1e-5, 8, 81.4, de2022 + ", abstract"},
	{"cifar10", "wrn-28-10", 1e-5, 1, 94.8, quoted + ", fine-tuned"}, {"cifar10", "wrn-28-10", 1e-5, 2, 95.4, quoted + ", fine-tuned"},
	{"cifar10", "wrn-28-10", 1e-5, 4, 96.1, quoted + ", fine-tuned"}, {"cifar10", "wrn-28-10", 1e-5, 8, 96.6, quoted + ", fine-tuned"},
	{"cifar100", "wrn-28-10", 1e-5, 1, 70.3, quoted + ", fine-tuned"}, {"cifar100", "wrn-28-10", 1e-5, 2, 74.7, quoted + ", fine-tuned"},
	{"cifar100", "wrn-28-10", 1e-5, 4, 79.2, quoted + ", fine-tuned"}, {"cifar100", "wrn-28-10", 1e-5, 8, 81.8, quoted + ", fine-tuned"},
	{"mnist", "", 1e-5, 2.93, 98.1, "Papernot et al. 2021, small CNN with tanh"},
}

// references are what is published for the data of p at that delta: by the same
// architecture if there is any, otherwise by all.
func references(p sweep.Params, delta float64) (dots []chart.Dot) {
	model, _, _ := strings.Cut(p.Model, "@")
	same := false
	for _, r := range published {
		same = same || r.data == p.Data.Name && r.model == model
	}
	for _, r := range published {
		if r.data != p.Data.Name || math.Abs(r.delta/delta-1) > 1e-9 || same && r.model != model {
			continue
		}
		words := fmt.Sprintf("%.1f %% at ε = %s\n%s", r.accuracy, chart.Number(r.epsilon), r.who)
		if r.model != "" {
			words += "\n" + r.model
		}
		dots = append(dots, chart.Dot{Epsilon: r.epsilon, Accuracy: r.accuracy, Tip: words + "\non the test set"})
	}
	return dots
}
