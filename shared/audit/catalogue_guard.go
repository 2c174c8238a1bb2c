package audit

import "strings"

// keyDetections are about the keys that secrets are encrypted with.
var keyDetections = []*Detection{
	{
		ID: "kms-key-disabled", Title: "Key of secrets disabled", Severity: Critical,
		Needs:    []Need{calls(KMS, "DisableKey")},
		When:     "A KMS key that secrets are encrypted with is disabled; any key, if none are named.",
		Why:      "No value under it can be read, and no rotation works, from now on.",
		Do:       "Enable the key again; find out who disabled it.",
		Controls: []string{"NIST 800-53r5 SC-12", "HIPAA 164.312(a)(2)(iv)"}, Techniques: []string{destruction, inhibitRecovery},
		match: succeeded((*Detector).isWatchedKey),
	},
	{
		ID: "kms-key-deletion", Title: "Key of secrets to be deleted", Severity: Critical,
		Needs:    []Need{calls(KMS, "ScheduleKeyDeletion", "DeleteImportedKeyMaterial")},
		When:     "The deletion of a KMS key that secrets are encrypted with is scheduled, or its material deleted; of any key, if none are named.",
		Why:      "When the key is gone, every value under it is gone.",
		Do:       "Cancel the deletion, enable the key, and find out who wanted it.",
		Controls: []string{"NIST 800-53r5 SC-12", "HIPAA 164.312(a)(2)(iv)"}, Techniques: []string{destruction, inhibitRecovery},
		match: succeeded((*Detector).isWatchedKey),
	},
	{
		ID: "kms-policy-changed", Title: "Policy of a secrets' key changed", Severity: High,
		Needs:    []Need{calls(KMS, "PutKeyPolicy")},
		When:     "Someone other than a deployer changes the policy of a KMS key that secrets are encrypted with; of any key, if none are named.",
		Why:      "The key's policy is the last wall before the values, and can shut their owners out.",
		Do:       "Compare the policy with your configuration, and put that back.",
		Controls: []string{"NIST 800-53r5 SC-12", "HIPAA 164.312(a)(2)(iv)"}, Techniques: []string{accountChange},
		match: byOthers((*Detector).isWatchedKey),
	},
}

// trailDetections are about the recording itself, and the code of rotations.
var trailDetections = []*Detection{
	{
		ID: "trail-stopped", Title: "Trail stopped", Severity: Critical,
		Needs:    []Need{calls(CloudTrail, "StopLogging", "DeleteTrail", "DeleteEventDataStore", "StopEventDataStoreIngestion")},
		When:     "A trail that must go on is stopped or deleted, or an event data store; any, if none are named.",
		Why:      "What happens to secrets is no longer recorded, and none of these detections sees it: it is what an intruder does first.",
		Do:       "Start the trail again; take what happened meanwhile for an intrusion until it is explained.",
		Controls: watching, Techniques: []string{impairLogs},
		match: succeeded((*Detector).isWatchedTrail),
	},
	{
		ID: "trail-narrowed", Title: "Trail records less, or elsewhere", Severity: High,
		Needs:    []Need{calls(CloudTrail, "PutEventSelectors", "UpdateTrail", "UpdateEventDataStore")},
		When:     "Someone other than a deployer changes what a trail records or where to; of any trail, if none are named.",
		Why:      "A trail that leaves out management events leaves out every use of secrets.",
		Do:       "Compare the trail with your configuration, and put that back.",
		Controls: watching, Techniques: []string{impairLogs},
		match: byOthers((*Detector).isWatchedTrail),
	},
	{
		ID: "alerts-silenced", Title: "Alerts silenced", Severity: Critical,
		Needs: []Need{
			calls(EventBridge, "DisableRule", "DeleteRule", "RemoveTargets"),
			calls(Lambda, "DeleteFunction20150331", "PutFunctionConcurrency20171031"),
		},
		When:     "Someone other than a deployer disables or deletes a rule that brings events to the audit forwarder, takes its target away, or deletes or throttles the forwarder.",
		Why:      "Nothing of this catalogue is told to anybody from then on. This may be the last alert.",
		Do:       "Deploy the rules and the forwarder again; take what happened meanwhile for an intrusion until it is explained.",
		Controls: watching, Techniques: []string{impairLogs},
		match: byOthers(func(d *Detector, e *Event) bool {
			if e.Source == Lambda {
				return d.alerting.matchAny(e.Request.Function, functionName(e.Request.Function))
			}
			return d.alerting.match(e.Request.Rule)
		}),
	},
	{
		ID: "rotation-code-changed", Title: "Code or settings of a rotation function changed", Severity: High,
		Needs: []Need{calls(Lambda,
			"UpdateFunctionCode20150331v2", "UpdateFunctionConfiguration20150331v2", "UpdateAlias20150331", "DeleteFunction20150331",
		)},
		When:     "Someone other than a deployer changes or deletes a rotation function.",
		Why:      "The function reads the values and decides the next ones; changed code can copy them.",
		Do:       "Compare the code with your release, deploy that again, and rotate what the function rotated since.",
		Controls: []string{"NIST 800-53r5 SI-7", "SOC 2 CC8.1"}, Techniques: []string{serverless},
		match: byOthers(func(d *Detector, e *Event) bool { return d.isRotationFunction(e.Request.Function) }),
	},
}

// isWatchedKey says whether the event's key is one that secrets are encrypted with.
func (d *Detector) isWatchedKey(e *Event) bool { return d.keys.empty() || d.isKnownKey(e) }

// isKnownKey compares the key as the caller named it, as an ARN, and as an id.
func (d *Detector) isKnownKey(e *Event) bool { return d.keys.names(e, e.Request.Key, "kms", "key/") }

// isWatchedTrail says whether the event's trail is one that must go on.
func (d *Detector) isWatchedTrail(e *Event) bool {
	return d.trails.empty() || d.trails.names(e, e.Request.Trail, "cloudtrail", "trail/")
}

// names says whether the list has a thing of a service that may be named by ARN or by what
// follows its kind in one.
func (p *patterns) names(e *Event, id, service, kind string) bool {
	if _, short, isARN := strings.Cut(id, ":"+kind); isARN {
		return p.matchAny(id, short)
	}
	return p.matchAny(id, arnOf(e, service, kind+id))
}
