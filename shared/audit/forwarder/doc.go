// Package forwarder takes events to people: it runs them through the catalogue of detections,
// makes one alert of what is the same, adds the cause that a rotation function logged, and
// sees that every sink that must be told is.
//
// Events come at least once; alerts go out once.
package forwarder
