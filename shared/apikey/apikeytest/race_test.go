//go:build race

package apikeytest

const raceDetector = true
