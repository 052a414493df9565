package builtin

import (
	"testing"

	"sweep/trainerplugin"
	"sweep/trainerplugin/trainertest"
)

func TestConformance(t *testing.T) {
	base := job(t, nil)
	base.Params.Steps, base.Params.Batch = 5, 16
	trainertest.Run(t, func(*testing.T) trainerplugin.Trainer { return &shared }, base)
}
