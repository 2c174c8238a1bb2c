package main

// peer is a checkout of the official Python templates. The zero value has none.
type peer struct{}

// contestant is the template for a strategy on a target; nil if there is none.
func (p peer) contestant(t *target, strategy string) *contestant { return nil }

// env are the settings of a template.
func (p peer) env(w *world, r *running, c *contestant) map[string]string { return nil }
