// Package detect is the command rekey audit: it runs recorded CloudTrail through the
// detections that the audit forwarder runs live, and the detections through their own cases.
package detect

// Command is the command line of rekey audit.
type Command struct {
	Replay Replay `cmd:"" help:"Run recorded CloudTrail through the detections."`
	Test   Test   `cmd:"" help:"Run every detection on events that are one and events that are not."`
}

// FoundError says that there are findings, to who asked for that with --fail.
type FoundError struct{ text string }

func (e *FoundError) Error() string { return e.text }

// ExitCode is that of findings, where they count as a failure.
func (e *FoundError) ExitCode() int { return 3 }
