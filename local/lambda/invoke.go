package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Lambda's limits on synchronous payloads:
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const (
	maxRequestBytes  = 6 << 20
	maxResponseBytes = 6<<20 + 100
)

// outcome is what one invocation came to.
type outcome struct {
	answer []byte
	report Report
	err    error
}

// invoke runs one invocation under the ARN by which the caller named the function.
func (f *Function) invoke(ctx context.Context, arn string, payload []byte) ([]byte, Report, error) {
	payload, err := checkPayload(payload)
	if err != nil {
		return nil, Report{}, err
	}
	inst, generation, err := f.acquire(ctx)
	if err != nil {
		return nil, Report{}, err
	}
	inv := newInvocation(arn, payload)
	done := make(chan outcome, 1)
	go func() {
		out, inst := f.run(inst, inv)
		f.release(inst, generation)
		done <- out
	}()
	select {
	case out := <-done:
		return out.answer, out.report, out.err
	case <-ctx.Done():
		return nil, Report{}, fmt.Errorf("waiting for function %q, which runs on: %w", f.cfg.Name, ctx.Err())
	}
}

func checkPayload(payload []byte) ([]byte, error) {
	switch {
	case len(payload) == 0:
		return []byte("{}"), nil
	case len(payload) > maxRequestBytes:
		return nil, &ServiceError{Code: "RequestTooLargeException", Message: fmt.Sprintf(
			"%d byte payload is too large for the RequestResponse invocation type (limit %d bytes)", len(payload), maxRequestBytes)}
	case !json.Valid(payload):
		return nil, &ServiceError{
			Code:    "InvalidRequestContentException",
			Message: "Could not parse request body into json: the payload must be one JSON value",
		}
	}
	return payload, nil
}

// run carries out an invocation on an instance, or on a new one when inst is nil. It
// returns the instance if it still exists.
func (f *Function) run(inst *instance, inv *invocation) (outcome, *instance) {
	out := outcome{report: Report{
		RequestID: inv.id, Function: f.cfg.Name, MemorySizeMB: f.cfg.MemoryMB, ColdStart: inst == nil,
	}}
	start := fmt.Sprintf("START RequestId: %s Version: %s", inv.id, latestVersion)
	f.platformLine("%s", start)
	if inst != nil {
		inst.output.forget()
	}
	begin := time.Now()
	var err error
	if inst == nil {
		inst, begin, err = f.coldStart(inv, &out.report)
	}
	if err == nil {
		inv.deadline = begin.Add(f.cfg.Timeout)
		out.answer, err = f.converse(inst, inv)
	}
	out.report.Duration = time.Since(begin)
	out.err = f.conclude(inst, inv, &out.report, err)
	out.report.keepLog(start, inst, inv)
	if f.cfg.OnInvoke != nil {
		f.cfg.OnInvoke(out.report)
	}
	return out, inst
}

// coldStart starts an instance and waits until it asks for its first invocation.
//
// The first try is Lambda's Init phase, limited to 10 seconds. When it fails, Lambda starts
// the function again in the Invoke phase, inside the function's own time-out:
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-ib
func (f *Function) coldStart(inv *invocation, report *Report) (*instance, time.Time, error) {
	inst, took, err := f.initialize(inv, "init", f.cfg.InitTimeout)
	if err == nil {
		report.InitDuration = took
		return inst, time.Now(), nil
	}
	begin := time.Now()
	if failure := (*FunctionError)(nil); errors.As(err, &failure) && failure.Type != typeEntrypoint {
		inst, _, err = f.initialize(inv, "invoke", f.cfg.Timeout)
	}
	return inst, begin, err
}

// initialize starts an instance and waits for its readiness, at most for the limit.
func (f *Function) initialize(inv *invocation, phase string, limit time.Duration) (*instance, time.Duration, error) {
	inst, err := f.startInstance(inv.id)
	if err != nil {
		return nil, 0, err
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	var failure *FunctionError
	status := statusError
	select {
	case ev := <-inst.api.events:
		if ev.kind == eventReady {
			return inst, ev.at.Sub(inst.started), nil
		}
		failure = reportedError(inv.id, ev.body, ev.errorType)
	case <-inst.exited:
		if failure = inst.initError(inv.id); failure == nil {
			failure = exitError(inv.id, inst.exitStatus())
		}
	case <-timer.C:
		status, failure = statusTimeout, timeoutError(inv.id, limit)
	}
	f.discard(inst)
	line := fmt.Sprintf("INIT_REPORT Init Duration: %s ms\tPhase: %s\tStatus: %s", milliseconds(time.Since(inst.started)), phase, status)
	if status == statusError {
		line += "\tError Type: " + failure.Type
	}
	f.platformLine("%s", line)
	return nil, 0, failure
}

// startInstance starts a process. Its error is the one that the caller of Invoke gets.
func (f *Function) startInstance(requestID string) (*instance, error) {
	inst, err := startInstance(&f.cfg, f.logs)
	if err != nil {
		return nil, entrypointError(requestID, err)
	}
	if !f.adopt(inst) {
		inst.stop()
		return nil, f.closedError()
	}
	return inst, nil
}

// converse gives the instance the invocation and waits until the instance is free again, or
// gone, or out of time.
func (f *Function) converse(inst *instance, inv *invocation) ([]byte, error) {
	timer := time.NewTimer(time.Until(inv.deadline))
	defer timer.Stop()
	inst.api.begin(inv)
	var answer *event
	for {
		select {
		case ev := <-inst.api.events:
			inst.sampleMemory()
			if ev.kind == eventReady {
				return answer.unpack(inv.id)
			}
			answer = &ev
		case <-inst.exited:
			// The answer may have come just before the end, as after a panic in Go.
			if answer = inst.api.lastAnswer(answer); answer != nil {
				return answer.unpack(inv.id)
			}
			return nil, exitError(inv.id, inst.exitStatus())
		case <-timer.C:
			inst.sampleMemory()
			inst.kill()
			<-inst.exited
			if answer = inst.api.lastAnswer(answer); answer != nil {
				return answer.unpack(inv.id)
			}
			return nil, timeoutError(inv.id, f.cfg.Timeout)
		}
	}
}

// conclude completes the report, writes the closing lines and returns the caller's error.
func (f *Function) conclude(inst *instance, inv *invocation, report *Report, err error) error {
	if err != nil && f.isClosing() {
		err = f.closedError()
	}
	if inst != nil {
		inst.flushLogs()
		report.MaxMemoryUsed = inst.peakMemory
	}
	report.Status = statusSuccess
	if failure := (*FunctionError)(nil); errors.As(err, &failure) {
		report.fail(failure)
		if failure.ofPlatform() {
			f.platformLine("%s\n%s", failure.Message, failure.Type)
		}
	} else if err != nil {
		report.Status = statusError
	}
	report.bill()
	f.platformLine("END RequestId: %s", inv.id)
	f.platformLine("%s", report)
	return err
}

// keepLog is what LogType=Tail asks for.
func (r *Report) keepLog(start string, inst *instance, inv *invocation) {
	log := []byte(start + "\n")
	if inst != nil {
		log = append(log, inst.output.remembered()...)
	}
	r.LogTail = string(last(fmt.Appendf(log, "END RequestId: %s\n%s\n", inv.id, r)))
}

func (f *Function) platformLine(format string, args ...any) {
	if f.cfg.PlatformLines {
		f.logs.writeLine([]byte(fmt.Sprintf(format, args...)))
	}
}
