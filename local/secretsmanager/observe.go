package secretsmanager

import (
	"encoding/json"
	"time"
)

// Call is one API call, as [Options.OnCall] sees it. It holds no value of a secret.
type Call struct {
	Operation   string // as named in the request: CreateSecret, …
	Region      string
	Account     string // of the caller
	Principal   string // the caller's ARN; empty for one that [Options.Callers] does not name
	Secret      string // the secret's name or ARN as the request gave it; empty if it names none
	SecretARN   string // of the secret that was found or made
	SecretName  string
	VersionID   string   // that a write made, or the ClientRequestToken it came with
	BatchARNs   []string // BatchGetSecretValue: the secrets whose values were read
	UserAgent   string
	AccessKeyID string
	SourceIP    string
	RequestID   string
	Status      int    // of HTTP; also for a reply that a fault then drops
	Error       string // the API's error code; empty for a success
	Message     string // of the error
	Start       time.Time
	Duration    time.Duration

	// Parameters are the members of the request that the API knows, without those that hold
	// secrets (SecretString, SecretBinary, RotationToken). They are shared: do not change them.
	Parameters map[string]json.RawMessage
}

// SecretEvent is what the service does by itself, as [Options.OnSecret] sees it: the non-API
// events of https://docs.aws.amazon.com/secretsmanager/latest/userguide/monitoring-cloudtrail_entries.html
// that are not about rotation.
type SecretEvent struct {
	Kind    SecretEventKind
	Time    time.Time // by the server's clock
	ARN     string
	Account string
	Region  string // where it happens
	Message string // ReplicationFailed: why
}

// SecretEventKind says what happened.
type SecretEventKind string

// The kinds of SecretEvent.
const (
	StartSecretVersionDelete  SecretEventKind = "StartSecretVersionDelete"  // a recovery window begins
	CancelSecretVersionDelete SecretEventKind = "CancelSecretVersionDelete" // the secret was restored
	EndSecretVersionDelete    SecretEventKind = "EndSecretVersionDelete"    // the secret is no more
	ReplicationFailed         SecretEventKind = "ReplicationFailed"
)

func (s *Server) happened(e SecretEvent) {
	if s.opt.OnSecret == nil {
		return
	}
	e.Time, e.Account = s.opt.Now(), accountOf(e.ARN)
	s.opt.OnSecret(e)
}

// observe tells OnCall of a call that has ended.
func (s *Server) observe(c *caller, requestID string, status int, failure error, start time.Time) {
	if s.opt.OnCall == nil {
		return
	}
	call := Call{
		Operation: c.operation, Region: c.region, Account: c.account, UserAgent: c.agent, AccessKeyID: c.accessKey, SourceIP: c.sourceIP,
		RequestID: requestID, Status: status, Error: errorCode(failure), Message: errorMessage(failure), Start: start, Duration: time.Since(start),
		Parameters: c.parameters(), BatchARNs: c.batch,
	}
	if c.who != nil {
		call.Principal = c.principal()
	}
	for _, member := range []string{"Name", "SecretId"} {
		_ = json.Unmarshal(call.Parameters[member], &call.Secret) // absent or of another type: none
	}
	_ = json.Unmarshal(call.Parameters["ClientRequestToken"], &call.VersionID)
	if c.secret != nil {
		call.SecretARN, call.SecretName = c.secret.ARN, c.secret.Name
	}
	s.opt.OnCall(call)
}

// openMembers are the members of requests that are no secret. What the API does not know
// might be one that is spelt wrongly.
var openMembers = map[string]bool{}

func init() {
	for _, name := range []string{
		"AddReplicaRegions", "BlockPublicPolicy", "ClientRequestToken", "Description", "ExcludeCharacters", "ExcludeLowercase", "ExcludeNumbers",
		"ExcludePunctuation", "ExcludeUppercase", "Filters", "ForceDeleteWithoutRecovery", "ForceOverwriteReplicaSecret", "IncludeDeprecated",
		"IncludePlannedDeletion", "IncludeSpace", "KmsKeyId", "MaxResults", "MoveToVersionId", "Name", "NextToken", "PasswordLength",
		"RecoveryWindowInDays", "RemoveFromVersionId", "RemoveReplicaRegions", "RequireEachIncludedType", "ResourcePolicy", "RotateImmediately",
		"RotationLambdaARN", "RotationRules", "SecretId", "SecretIdList", "SortBy", "SortOrder", "TagKeys", "Tags", "VersionId", "VersionStage", "VersionStages",
	} {
		openMembers[name] = true
	}
}

func (c *caller) parameters() map[string]json.RawMessage {
	members, err := parseMembers(c.body)
	if err != nil {
		return nil
	}
	for name := range members {
		if !openMembers[name] {
			delete(members, name)
		}
	}
	return members
}
