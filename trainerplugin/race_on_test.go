//go:build race

package trainerplugin_test

// raceDetector tells tests of a trainer that runs out of memory: the detector
// wants more of it than the trainer, and ends otherwise.
const raceDetector = true
