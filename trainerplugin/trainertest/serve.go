package trainertest

import (
	"fmt"
	"os"
	"strings"

	"google.golang.org/grpc"

	"sweep/trainerplugin"
)

// Variable is the environment variable that makes a program a trainer of this
// package: "fake", or one of [Modes].
const Variable = "SWEEP_FAKE_TRAINER"

// Started with one of these, the process itself misbehaves.
var processModes = map[string]func(){
	"rubbish": func() {
		fmt.Println("Welcome to CUDA 13! \x1b[2J")
		trainerplugin.Serve(Fake{})
	},
	"stillborn": func() {
		fmt.Fprintln(os.Stderr, "ModuleNotFoundError: No module named 'torch'")
		os.Exit(1)
	},
	"mute":   func() { <-make(chan struct{}) },
	"freeze": serveFrozen,
	"fork":   serveForked,
	"leak":   serveLeaking,
	"talk":   serveTalking,
}

// ServeFromEnv serves the trainer that [Variable] names and exits when its host
// ends it. It does nothing if the variable is not set, so a TestMain or a main
// function can call it first.
func ServeFromEnv() {
	mode, asked := os.LookupEnv(Variable)
	if !asked {
		return
	}
	if err := serve(mode); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	os.Exit(0)
}

func serve(mode string) error {
	if mode == "fake" {
		trainerplugin.Serve(Fake{})
		return nil
	}
	if run, ok := processModes[mode]; ok {
		run()
		return nil
	}
	if _, ok := wireModes[mode]; ok {
		trainerplugin.ServeGRPC(func(s grpc.ServiceRegistrar) { _ = RegisterMisbehaving(s, mode) })
		return nil
	}
	t, err := Misbehaving(mode)
	if err != nil {
		return err
	}
	trainerplugin.Serve(t)
	return nil
}

// A Talk is how much a talking trainer prints, in bytes.
const Talk = 1 << 30

// serveTalking serves an honest trainer that prints a gigabyte first.
func serveTalking() {
	line := []byte(strings.Repeat("DEBUG: nothing happened\n", 1<<12))
	for n := 0; n < Talk; n += len(line) {
		if _, err := os.Stderr.Write(line); err != nil {
			os.Exit(1)
		}
	}
	trainerplugin.Serve(Fake{})
}
