package audit

import (
	"context"
	"slices"
)

// Catalogue is every detection, in the order of its documentation. The entries are shared and
// must not be changed.
func Catalogue() []*Detection {
	return slices.Concat(rotationDetections)
}

// Find is the detection with an id.
func Find(id string) (*Detection, bool) {
	for _, d := range Catalogue() {
		if d.ID == id {
			return d, true
		}
	}
	return nil, false
}

// always matches: the event alone tells.
func always(context.Context, *Detector, *Event) (hit, bool) { return hit{}, true }

// named matches one of the events that the detection needs.
func named(name string) func(context.Context, *Detector, *Event) (hit, bool) {
	return func(_ context.Context, _ *Detector, e *Event) (hit, bool) { return hit{}, e.Name == name }
}
