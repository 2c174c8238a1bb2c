package main

import (
	"context"
	"fmt"
	"os"

	"github.com/rekey-aws/rekey/infra/config"
	"github.com/rekey-aws/rekey/infra/config/cost"
)

// What is assumed of AWS where this machine cannot tell.
const (
	oneProcessorMB = 1769 // Lambda gives one vCPU: https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
	callMS         = 10   // that a call of Secrets Manager takes longer than here
	invocations    = 4
	sampleFile     = "examples/minimal.yaml"
)

// prices are of one unit.
type prices struct{ call, keyUse, invocation, gigabyteSecond float64 }

// readPrices takes them from the estimate of a deployment.
func readPrices() (prices, error) {
	text, err := os.ReadFile(sampleFile)
	if err != nil {
		return prices{}, fmt.Errorf("pricing rotations: %w: change to rekey's checkout", err)
	}
	f, err := config.Parse(sampleFile, text)
	if err != nil {
		return prices{}, err
	}
	e := cost.Of(f, cost.Usage{})
	return prices{e.Find(cost.Calls).Each, e.Find(cost.KeyUse).Each, e.Find(cost.Functions).Each, e.Find(cost.Time).Each}, nil
}

// billedMS is how long Lambda would bill a rotation that begins with a new process. With less
// memory there is less of a processor: what was measured here on a whole one takes longer.
func billedMS(memoryMB, coldMS, processorMS, calls float64) float64 {
	return coldMS + processorMS*(oneProcessorMB/memoryMB-1) + calls*callMS
}

// measureCost prices the rotations that were measured.
func measureCost(ctx context.Context, b *bench) (*table, error) {
	p, err := readPrices()
	if err != nil {
		return nil, err
	}
	all, err := b.measureRotations(ctx)
	if err != nil {
		return nil, err
	}
	t := &table{Notes: []string{
		"billed: a new process's start and four steps, from the medians of its time and its CPU, Lambda's share of a processor, and 10 ms more for each call.",
		"$: of 1,000 rotations, by list prices of " + cost.AsOf + ": calls of Secrets Manager and its key; Lambda with 256 MB; both. 1,000 secrets themselves cost $400 a month.",
	}}
	for _, c := range all {
		r := row{Name: c.name}
		if c.failed != nil {
			r.Failed = c.failed.Error()
		} else {
			r.Figures = p.figures(
				spread("", each(c.cold, total(duration))).Value,
				spread("", each(c.cold, func(r rotated) float64 { return milliseconds(r.processor) })).Value,
				spread("", each(c.warm, total(callsOf))).Value)
		}
		t.Rows = append(t.Rows, r)
	}
	return t, nil
}

// figures are of one kind of rotation. Where the system does not tell the processor time,
// what Lambda would bill is not known.
func (p prices) figures(coldMS, processorMS, calls float64) []figure {
	callsPrice := exactly("$ calls", 1000*calls*(p.call+p.keyUse))
	if processorMS == 0 {
		return []figure{callsPrice}
	}
	billed := billedMS(256, coldMS, processorMS, calls)
	lambdaPrice := 1000 * (invocations*p.invocation + billed/1000*256/1024*p.gigabyteSecond)
	return []figure{
		exactly("billed ms, 128 MB", billedMS(128, coldMS, processorMS, calls)), exactly("256 MB", billed),
		callsPrice, exactly("$ Lambda", lambdaPrice), exactly("$ both", callsPrice.Value+lambdaPrice),
	}
}
