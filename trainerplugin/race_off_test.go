//go:build !race

package trainerplugin_test

const raceDetector = false
