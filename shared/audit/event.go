package audit

import "time"

// Kind is the form in which an event was recorded.
type Kind string

// The forms: https://docs.aws.amazon.com/secretsmanager/latest/userguide/monitoring-eventbridge.html
const (
	Call         Kind = "call"    // a call of an API, by someone
	ServiceEvent Kind = "service" // what a service did by itself, such as RotationFailed
	LabelUpdated Kind = "label"   // "Secret Label Updated", which CloudTrail does not record
	Scan         Kind = "scan"    // no record: a scheduled look at the secrets
)

// The services whose events are looked at, as records name them.
const (
	SecretsManager = "secretsmanager.amazonaws.com"
	KMS            = "kms.amazonaws.com"
	CloudTrail     = "cloudtrail.amazonaws.com"
	Lambda         = "lambda.amazonaws.com"
	EventBridge    = "events.amazonaws.com"
)

// Event is a record reduced to what detections and people need. Only fields named here are
// ever copied from a record, each checked for its form: no secret's value, rotation token,
// policy, tag, error text or reply can be in an Event. (A version's id is no secret, though it
// was the client request token of the call that made it.) It is plain data: copies are
// independent as long as nobody writes to the slices.
type Event struct {
	ID        string    `json:"id"`                 // CloudTrail's eventID; EventBridge's id if there is no record
	SharedID  string    `json:"sharedId,omitempty"` // the same in the records that several accounts get of one call
	Time      time.Time `json:"time"`               // UTC, to the second
	Kind      Kind      `json:"kind"`
	Source    string    `json:"source"` // of the record, such as SecretsManager
	Name      string    `json:"name"`   // the operation or the service's event, such as GetSecretValue
	Account   string    `json:"account"`
	Region    string    `json:"region"`
	RequestID string    `json:"requestId,omitempty"`
	ErrorCode string    `json:"errorCode,omitempty"` // empty: the call succeeded
	ReadOnly  bool      `json:"readOnly,omitempty"`

	SourceIP           string `json:"sourceIp,omitempty"` // an address, or a service's name
	UserAgent          string `json:"userAgent,omitempty"`
	VPCEndpoint        string `json:"vpcEndpoint,omitempty"`
	VPCEndpointAccount string `json:"vpcEndpointAccount,omitempty"`

	Actor  Identity `json:"actor"`
	Secret Secret   `json:"secret"`

	Request Request `json:"request"`
}

// Request is what an event says beyond who, what and when. A field that the record does not
// have is zero.
type Request struct {
	VersionID    string   `json:"versionId,omitempty"`    // asked for, moved to, labelled, or under rotation
	VersionStage string   `json:"versionStage,omitempty"` // asked for, moved, or updated
	Stages       []string `json:"stages,omitempty"`       // that a new value gets
	Function     string   `json:"function,omitempty"`     // the rotation function: given to RotateSecret, changed, or failed
	Step         string   `json:"step,omitempty"`         // that the function failed in: setSecret, …
	Key          string   `json:"key,omitempty"`          // the KMS key
	Regions      []string `json:"regions,omitempty"`      // of replicas, added or removed
	Trail        string   `json:"trail,omitempty"`        // the trail or event data store
	Rule         string   `json:"rule,omitempty"`         // of EventBridge
	RecoveryDays int      `json:"recoveryDays,omitempty"` // of DeleteSecret
	ForceDelete  bool     `json:"forceDelete,omitempty"`  // DeleteSecret without recovery
	PublicPolicy bool     `json:"publicPolicy,omitempty"` // the policy put lets anyone in
	CatchAll     bool     `json:"catchAll,omitempty"`     // a batch read whose filter takes every secret
}

// Failed says whether the call was refused or went wrong.
func (e *Event) Failed() bool { return e.ErrorCode != "" }

// Denied says whether the call was refused for lack of a permission. CloudTrail writes the
// code with and without its usual ending.
func (e *Event) Denied() bool {
	switch e.ErrorCode {
	case "AccessDenied", "AccessDeniedException", "Client.UnauthorizedOperation", "UnauthorizedOperation":
		return true
	}
	return false
}

// id is the same for every record of one call.
func (e *Event) id() string {
	if e.SharedID != "" {
		return e.SharedID
	}
	return e.ID
}
