package main

import (
	"sync"

	"sweep/privacy"
)

// calibrations remembers answers: a sweep's file is enumerated to check it, to
// enter it and to enter it again, and some accountants take their time.
var calibrations sync.Map // of noiseQuestion to noiseAnswer

type noiseQuestion struct {
	accountant privacy.Accountant
	target     privacy.Budget
	sampleRate float64
	steps      int
}

type noiseAnswer struct {
	noise float64
	err   error
}

// calibrate is privacy.CalibrateNoise, asked each question once.
func calibrate(a privacy.Accountant, target privacy.Budget, sampleRate float64, steps int) (float64, error) {
	question := noiseQuestion{a, target, sampleRate, steps}
	if known, ok := calibrations.Load(question); ok {
		return known.(noiseAnswer).noise, known.(noiseAnswer).err
	}
	noise, err := privacy.CalibrateNoise(a, target, sampleRate, steps)
	calibrations.Store(question, noiseAnswer{noise, err})
	return noise, err
}
