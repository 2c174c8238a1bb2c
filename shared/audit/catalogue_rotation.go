package audit

// rotationDetections are about rotations that did not happen as they should.
var rotationDetections = []*Detection{
	rotationFailed, rotationAbandoned, rotationOverdue, rotationTestFailed, replicationFailed,
}

// recoveries are the service events that end what was found about a secret's rotation.
var recoveries = map[string][]*Detection{
	"RotationSucceeded":     {rotationFailed, rotationAbandoned, rotationOverdue, rotationTestFailed},
	"TestRotationSucceeded": {rotationTestFailed},
}

var rotationFailed = &Detection{
	ID: "rotation-failed", Title: "Rotation failed", Severity: High,
	Needs:    []Need{events("RotationFailed", "RotationSucceeded")},
	When:     "Secrets Manager reports that a rotation failed.",
	Why:      "The credential stays older than its policy allows until a rotation succeeds; Secrets Manager has no metric that tells.",
	Do:       "Read the cause in the function's log line, correct it, and run the rotation again: it resumes where it stopped.",
	Controls: rotating,
	match:    named("RotationFailed"),
}

var rotationAbandoned = &Detection{
	ID: "rotation-abandoned", Title: "Rotation abandoned", Severity: High,
	Needs:    []Need{events("RotationAbandoned", "RotationSucceeded")},
	When:     "Secrets Manager reports that it took AWSPENDING away from a rotation, because someone stored a new value meanwhile.",
	Why:      "The rotation may have changed the credential already: then the value that was stored by hand does not log in.",
	Do:       "See whether AWSCURRENT logs in; run the rotation again, which finds the credential that does.",
	Controls: rotating,
	match:    named("RotationAbandoned"),
}

var rotationOverdue = &Detection{
	ID: "rotation-overdue", Title: "Rotation overdue", Severity: High,
	Needs:    []Need{{Kind: Scan, Source: SecretsManager}, events("RotationSucceeded")},
	When:     "A scheduled look at the secrets finds one whose rotation was due, by more than the grace period, and did not happen.",
	Why:      "No event tells that nothing happens: a rotation that is never tried fails in silence.",
	Do:       "Run the rotation and see whether it starts; look at the schedule, and whether Secrets Manager may invoke the function.",
	Controls: rotating,
}

var rotationTestFailed = &Detection{
	ID: "rotation-test-failed", Title: "Test of a rotation failed", Severity: Medium,
	Needs:    []Need{events("TestRotationFailed", "TestRotationSucceeded")},
	When:     "Secrets Manager reports that testing the current value failed, after a schedule was changed without rotating.",
	Why:      "The next rotation will fail the same way, or the current credential does not log in already.",
	Do:       "Read the cause in the function's log line, and correct it before the next rotation is due.",
	Controls: rotating,
	match:    named("TestRotationFailed"),
}

var replicationFailed = &Detection{
	ID: "replication-failed", Title: "Replication failed", Severity: High,
	Needs:      []Need{events("ReplicationFailed")},
	When:       "Secrets Manager reports that it could not copy a secret to another Region.",
	Why:        "Consumers in that Region go on with an old value, which stops to work at one of the next rotations.",
	Do:         "Read the status of the replica with DescribeSecret, mend its cause, and replicate again.",
	Controls:   []string{"NIST 800-53r5 CP-9"},
	Techniques: nil,
	match:      named("ReplicationFailed"),
}
