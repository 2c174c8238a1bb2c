package cloudtrail

import (
	"encoding/json"
	"strings"
)

// member is a part of a request that is recorded, with the type it must have; of any other
// type it is left out. What no list names is never decoded, least of all SecretString,
// SecretBinary and RotationToken.
type member struct {
	name string // as in the API; recorded with a small first letter
	as   func(json.RawMessage) (any, bool)
}

// operation says what is recorded of one.
type operation struct {
	readOnly   bool
	parameters []member

	// arn: a success is recorded with the secret's ARN, under "arn" (before February 2024, for
	// some operations, under "aRN": see the package's first link). It is all of a reply that
	// a published record has: PutSecretValue of October 2024, in the documentation of External
	// Secrets' Reloader. Replies of reads are null.
	arn bool
}

// typed decodes into T, and refuses what is not one.
func typed[T any](raw json.RawMessage) (any, bool) {
	var v *T
	if json.Unmarshal(raw, &v) != nil || v == nil {
		return nil, false
	}
	return *v, true
}

func text(name string) member    { return member{name: name, as: typed[string]} }
func number(name string) member  { return member{name: name, as: typed[json.Number]} }
func boolean(name string) member { return member{name: name, as: typed[bool]} }
func texts(name string) member   { return member{name: name, as: typed[[]string]} }

func object(name string, members ...member) member {
	return member{name: name, as: func(raw json.RawMessage) (any, bool) {
		o := project(raw, members)
		return o, o != nil
	}}
}

func objects(name string, members ...member) member {
	return member{name: name, as: func(raw json.RawMessage) (any, bool) {
		var list []json.RawMessage
		if json.Unmarshal(raw, &list) != nil || list == nil {
			return nil, false
		}
		all := []any{}
		for _, raw := range list {
			if o := project(raw, members); o != nil {
				all = append(all, o)
			}
		}
		return all, true
	}}
}

// project takes from a JSON object the members that are listed; nil if it is no object.
func project(raw json.RawMessage, members []member) map[string]any {
	var all map[string]json.RawMessage
	if json.Unmarshal(raw, &all) != nil || all == nil {
		return nil
	}
	return pick(all, members)
}

func pick(all map[string]json.RawMessage, members []member) map[string]any {
	out := map[string]any{}
	for _, m := range members {
		raw, there := all[m.name]
		if !there {
			continue
		}
		if v, ok := m.as(raw); ok {
			out[recordedName(m.name)] = v
		}
	}
	return out
}

// recordedName is a member's name as CloudTrail writes it: secretId, rotationLambdaARN.
func recordedName(name string) string {
	return strings.ToLower(name[:1]) + name[1:]
}

var (
	secretID      = text("SecretId")
	requestToken  = text("ClientRequestToken")
	description   = text("Description")
	kmsKeyID      = text("KmsKeyId")
	secretType    = text("Type")
	maxResults    = number("MaxResults")
	nextToken     = text("NextToken")
	filters       = objects("Filters", text("Key"), texts("Values"))
	tags          = objects("Tags", text("Key"), text("Value"))
	addReplicas   = objects("AddReplicaRegions", text("Region"), kmsKeyID)
	overwrite     = boolean("ForceOverwriteReplicaSecret")
	rotationRules = object("RotationRules", number("AutomaticallyAfterDays"), text("Duration"), text("ScheduleExpression"))
)

// operations are those of the API's current model:
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_Operations.html.
// Published records have the same members: BatchGetSecretValue {filters} in [stratus],
// CreateSecret {name, clientRequestToken} in the user guide's monitoring.html of 2018,
// PutSecretValue {secretId, clientRequestToken} as above.
//
// [stratus]: https://stratus-red-team.cloud/attack-techniques/AWS/aws.credential-access.secretsmanager-batch-retrieve-secrets/
var operations = map[string]operation{
	"BatchGetSecretValue":          {readOnly: true, parameters: []member{texts("SecretIdList"), filters, maxResults, nextToken}},
	"CancelRotateSecret":           {arn: true, parameters: []member{secretID}},
	"CreateSecret":                 {arn: true, parameters: []member{text("Name"), requestToken, description, kmsKeyID, tags, addReplicas, overwrite, secretType}},
	"DeleteResourcePolicy":         {arn: true, parameters: []member{secretID}},
	"DeleteSecret":                 {arn: true, parameters: []member{secretID, number("RecoveryWindowInDays"), boolean("ForceDeleteWithoutRecovery")}},
	"DescribeSecret":               {readOnly: true, parameters: []member{secretID}},
	"GetRandomPassword":            {readOnly: true, parameters: passwordParameters},
	"GetResourcePolicy":            {readOnly: true, parameters: []member{secretID}},
	"GetSecretValue":               {readOnly: true, parameters: []member{secretID, text("VersionId"), text("VersionStage")}},
	"ListSecretVersionIds":         {readOnly: true, parameters: []member{secretID, maxResults, nextToken, boolean("IncludeDeprecated")}},
	"ListSecrets":                  {readOnly: true, parameters: []member{boolean("IncludePlannedDeletion"), maxResults, nextToken, filters, text("SortOrder"), text("SortBy")}},
	"PutResourcePolicy":            {arn: true, parameters: []member{secretID, text("ResourcePolicy"), boolean("BlockPublicPolicy")}},
	"PutSecretValue":               {arn: true, parameters: []member{secretID, requestToken, texts("VersionStages")}},
	"RemoveRegionsFromReplication": {arn: true, parameters: []member{secretID, texts("RemoveReplicaRegions")}},
	"ReplicateSecretToRegions":     {arn: true, parameters: []member{secretID, addReplicas, overwrite}},
	"RestoreSecret":                {arn: true, parameters: []member{secretID}},
	"RotateSecret":                 {arn: true, parameters: []member{secretID, requestToken, text("RotationLambdaARN"), rotationRules, boolean("RotateImmediately"), text("ExternalSecretRotationRoleArn")}},
	"StopReplicationToReplica":     {arn: true, parameters: []member{secretID}},
	"TagResource":                  {parameters: []member{secretID, tags}},
	"UntagResource":                {parameters: []member{secretID, texts("TagKeys")}},
	"UpdateSecret":                 {arn: true, parameters: []member{secretID, requestToken, description, kmsKeyID, secretType}},
	"UpdateSecretVersionStage":     {arn: true, parameters: []member{secretID, text("VersionStage"), text("RemoveFromVersionId"), text("MoveToVersionId")}},
	"ValidateResourcePolicy":       {readOnly: true, parameters: []member{secretID, text("ResourcePolicy")}},
}

var passwordParameters = []member{
	number("PasswordLength"), text("ExcludeCharacters"), boolean("ExcludeNumbers"), boolean("ExcludePunctuation"),
	boolean("ExcludeUppercase"), boolean("ExcludeLowercase"), boolean("IncludeSpace"), boolean("RequireEachIncludedType"),
}
