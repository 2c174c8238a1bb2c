// Package scheduler is Amazon EventBridge Scheduler on one machine: schedules that
// invoke a function once, at a time. It speaks the API's protocol, so that the AWS
// CLI and the SDKs manage them, and invokes functions as Lambda's asynchronous
// invocation does: handing an event over is tried again as the schedule's retry
// policy says, and an error of the function twice more. What comes to nothing is a
// dead letter.
//
// It is strict. What it does not do, it refuses with a ValidationException that
// says so, rather than to take it and be wrong: recurring schedules (rate and
// cron), targets other than functions, customer keys.
//
// https://docs.aws.amazon.com/scheduler/latest/APIReference/Welcome.html
package scheduler
