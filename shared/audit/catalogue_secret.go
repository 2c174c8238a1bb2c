package audit

import (
	"slices"
	"strings"
)

// secretDetections are about changes to secrets that no ordinary work makes.
var secretDetections = []*Detection{
	{
		ID: "forced-delete", Title: "Secret deleted without recovery", Severity: Critical,
		Needs: []Need{calls(SecretsManager, "DeleteSecret")},
		When:  "DeleteSecret is called with ForceDeleteWithoutRecovery.",
		Why:   "The value is gone at once and for good; consumers fail at their next read.",
		Do:    "Reset the credential in the target and create the secret anew; find out who deleted it.", Controls: limiting,
		Techniques: []string{destruction, inhibitRecovery},
		match:      succeeded(func(_ *Detector, e *Event) bool { return e.Request.ForceDelete }),
	},
	{
		ID: "short-recovery-delete", Title: "Secret deleted with the shortest recovery window", Severity: High,
		Needs: []Need{calls(SecretsManager, "DeleteSecret")},
		When:  "DeleteSecret is called with a recovery window of seven days, the shortest there is; thirty are the default.",
		Why:   "Consumers fail at once, and after a week nobody can undo it.",
		Do:    "If it was not meant, run RestoreSecret now.", Controls: limiting,
		Techniques: []string{destruction},
		match: succeeded(func(_ *Detector, e *Event) bool {
			return !e.Request.ForceDelete && e.Request.RecoveryDays > 0 && e.Request.RecoveryDays <= 7
		}),
	},
	{
		ID: "public-policy", Title: "Secret opened to everybody", Severity: Critical,
		Needs:      []Need{calls(SecretsManager, "PutResourcePolicy")},
		When:       "A resource policy is put that allows any principal, without a condition that holds it to known accounts, principals or networks.",
		Why:        "Every AWS account can read the value, unless its key forbids it.",
		Do:         "Put the former policy back, with BlockPublicPolicy; rotate the secret; look for reads by other accounts.",
		Controls:   slices.Concat([]string{"CIS AWS 2.21", "CIS Controls 8.1 3.3"}, limiting),
		Techniques: []string{transferElsewhere, accountChange},
		match:      succeeded(func(_ *Detector, e *Event) bool { return e.Request.PublicPolicy }),
	},
	{
		ID: "policy-deleted", Title: "Resource policy of a secret deleted", Severity: Medium,
		Needs: []Need{calls(SecretsManager, "DeleteResourcePolicy")},
		When:  "Someone other than a deployer deletes a secret's resource policy.",
		Why:   "What the policy denied is allowed again to whoever has an identity policy for it.",
		Do:    "Put the policy back from your configuration, and find out why it went.", Controls: limiting,
		Techniques: []string{accountChange},
		match:      byOthers(anything),
	},
	{
		ID: "label-moved", Title: "Label of a version moved by hand", Severity: High,
		Needs:    []Need{calls(SecretsManager, "UpdateSecretVersionStage")},
		When:     "Someone other than a rotation role moves AWSCURRENT, AWSPENDING or AWSPREVIOUS.",
		Why:      "Moving AWSCURRENT gives consumers another password, which may not log in; the labels are the rotation's own.",
		Do:       "See whether AWSCURRENT logs in; if it was a repair, run a rotation to prove that it worked.",
		Controls: rotating, Techniques: []string{accountChange},
		match: succeeded(func(d *Detector, e *Event) bool {
			switch e.Request.VersionStage {
			case "AWSCURRENT", "AWSPENDING", "AWSPREVIOUS", "":
				return !d.isRotation(&e.Actor)
			}
			return false
		}),
	},
	{
		ID: "value-put", Title: "Value of a secret stored by hand", Severity: Medium,
		Needs:    []Need{calls(SecretsManager, "PutSecretValue")},
		When:     "Someone other than a rotation role stores a new value.",
		Why:      "A person knows the value now; and if the target does not have it, consumers are locked out.",
		Do:       "See whether AWSCURRENT logs in, and rotate, so that nobody knows the value.",
		Controls: rotating, Techniques: []string{accountChange},
		match: succeeded(func(d *Detector, e *Event) bool { return !d.isRotation(&e.Actor) }),
	},
	{
		ID: "rotation-cancelled", Title: "Rotation of a secret turned off", Severity: High,
		Needs:    []Need{calls(SecretsManager, "CancelRotateSecret")},
		When:     "Someone other than a deployer calls CancelRotateSecret.",
		Why:      "The credential is never changed again, and a rotation that was under way stays half done.",
		Do:       "Ask why, and turn rotation on again; rekey unstick ends what was left half done.",
		Controls: rotating, Techniques: []string{accountChange},
		match: byOthers(anything),
	},
	{
		ID: "rotation-function-changed", Title: "Secret given to another rotation function", Severity: High,
		Needs:    []Need{calls(SecretsManager, "RotateSecret")},
		When:     "Someone other than a deployer gives a secret a rotation function that is not among those approved.",
		Why:      "The function reads the value and decides the next one: another's function is another's password.",
		Do:       "See whose function it is. If nobody of yours, set the former one and rotate.",
		Controls: rotating, Techniques: []string{serverless, accountChange},
		match: byOthers(func(d *Detector, e *Event) bool {
			return e.Request.Function != "" && !d.isRotationFunction(e.Request.Function)
		}),
	},
	{
		ID: "key-changed", Title: "Secret encrypted with another key", Severity: High,
		Needs:    []Need{calls(SecretsManager, "UpdateSecret")},
		When:     "Someone other than a deployer calls UpdateSecret with a KMS key that is not among those known.",
		Why:      "Whoever owns the key decides who reads the value, and can take it away from everybody.",
		Do:       "See whose key it is. If nobody of yours, set the former one and rotate.",
		Controls: []string{"NIST 800-53r5 SC-12", "HIPAA 164.312(a)(2)(iv)"}, Techniques: []string{destruction, inhibitRecovery},
		match: byOthers(func(d *Detector, e *Event) bool {
			return e.Request.Key != "" && (d.keys.empty() || !d.isKnownKey(e))
		}),
	},
	{
		ID: "replica-removed", Title: "Replica of a secret removed", Severity: High,
		Needs:    []Need{calls(SecretsManager, "RemoveRegionsFromReplication")},
		When:     "Someone other than a deployer deletes a secret's replicas in other Regions.",
		Why:      "Consumers in those Regions fail at once, and there is nothing to fail over to.",
		Do:       "Replicate again with ReplicateSecretToRegions; find out why.",
		Controls: []string{"NIST 800-53r5 CP-9"}, Techniques: []string{inhibitRecovery},
		match: byOthers(anything),
	},
	{
		ID: "replica-promoted", Title: "Replica of a secret cut off from its primary", Severity: High,
		Needs:    []Need{calls(SecretsManager, "StopReplicationToReplica")},
		When:     "Someone other than a deployer turns a replica into a secret of its own.",
		Why:      "It no longer follows the rotation: its consumers are locked out when the primary rotates.",
		Do:       "If it was no failover, delete it and replicate again; if it was, give it a rotation of its own.",
		Controls: []string{"NIST 800-53r5 CP-9"}, Techniques: []string{inhibitRecovery},
		match: byOthers(anything),
	},
	{
		ID: "replica-unapproved-region", Title: "Secret copied to a Region that is not approved", Severity: High,
		Needs: []Need{calls(SecretsManager, "ReplicateSecretToRegions", "CreateSecret")},
		When:  "A secret gets a replica in a Region that is not among those approved; nothing is found if none are named.",
		Why:   "The value leaves the places that you watch, and perhaps those where it may be kept.",
		Do:    "Remove the replica with RemoveRegionsFromReplication; find out who wanted it there.", Controls: limiting,
		Techniques: []string{transferElsewhere},
		match: succeeded(func(d *Detector, e *Event) bool {
			return len(d.regions) > 0 && slices.ContainsFunc(e.Request.Regions, func(r string) bool { return !d.regions[r] })
		}),
	},
}

// isRotationFunction compares a function's name or ARN, with or without a version.
func (d *Detector) isRotationFunction(function string) bool {
	return d.functions.matchAny(function, functionName(function))
}

// functionName is what names a function in an ARN, whole or partial, without its version:
// https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionCode.html (FunctionName)
func functionName(function string) string {
	if at := strings.Index(function, "function:"); at >= 0 {
		function = function[at+len("function:"):]
	}
	name, _, _ := strings.Cut(function, ":")
	return name
}
