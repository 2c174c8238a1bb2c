package audit

var rotationDetections = []*Detection{rotationFailed, rotationOverdue}

var rotationFailed = &Detection{
	ID: "rotation-failed", Title: "Rotation failed", Severity: High,
	Needs: []Need{{Kind: ServiceEvent, Source: SecretsManager, Names: []string{"RotationFailed", "RotationSucceeded"}}},
	When:  "Secrets Manager reports that a rotation failed.",
	Why:   "The credential is older than its policy allows, and will stay so until a rotation succeeds.",
	Do:    "Read the cause in the function's log line; correct it and run the rotation again.",
	match: named("RotationFailed"),
}

var rotationOverdue = &Detection{
	ID: "rotation-overdue", Title: "Rotation overdue", Severity: High,
	Needs: []Need{{Kind: Scan, Source: SecretsManager}, {Kind: ServiceEvent, Source: SecretsManager, Names: []string{"RotationSucceeded"}}},
	When:  "A scheduled look at the secrets finds one whose rotation was due, by more than the grace period, and did not happen.",
	Why:   "No event tells that nothing happens: a rotation that is never tried fails silently.",
	Do:    "Run the rotation, and see whether it starts; look at the schedule and at the function's permission to be invoked.",
}

// recoveries are the service events that end what was found about a secret's rotation.
var recoveries = map[string][]*Detection{
	"RotationSucceeded": {rotationFailed, rotationOverdue},
}
