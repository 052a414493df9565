//go:build race

package model

// raceDetector tells tests of large networks that they would take minutes;
// the small ones go through the same code.
const raceDetector = true
