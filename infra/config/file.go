package config

import (
	"encoding/json"
	"time"

	"github.com/rekey-aws/rekey/shared/apikey/declarative"
)

// File is rekey.yaml.
type File struct {
	// Name of the deployment. What it makes is named after it and its environment, so
	// neither can change later without making everything anew.
	Name Name `json:"name"`
	// Environment of the deployment, such as production.
	Environment Name `json:"environment"`
	// Account that it is deployed into. In quotes: it is a text of digits.
	Account Account `json:"account"`
	// Organization, whose principals alone may use the secrets. Everyone else is denied, also
	// where a policy of theirs allows it.
	Organization Organization `json:"organization,omitempty"`
	// Regions where the secrets are.
	Regions Regions `json:"regions"`
	// Network that the functions run in. Needed for databases.
	Network *Network `json:"network,omitempty"`
	// Encryption of the secrets.
	Encryption Encryption `json:"encryption,omitzero"`
	// Passwords that are made for database users.
	Passwords Passwords `json:"passwords,omitzero"`
	// Defaults for every secret below. A secret that says something else wins.
	Defaults Settings `json:"defaults,omitzero"`
	// Databases, and the users whose passwords are rotated. The key is part of the secrets' names.
	Databases map[Name]Database `json:"databases,omitempty"`
	// Keys and tokens of vendors (rotate-apikey).
	APIKeys map[Name]APIKey `json:"apiKeys,omitempty"`
	// Providers: a folder beside this file, with files for vendors of your own, as
	// docs/adding-a-provider.md says. They are deployed with rotate-apikey.
	Providers Folder `json:"providers,omitempty"`
	// Secrets that no other system knows: they are made, stored and read.
	Generated map[Name]Generated `json:"generated,omitempty"`
	// Pipelines that log in by OpenID Connect. Each gets a role; readers and writers name it.
	Pipelines map[Name]Pipeline `json:"pipelines,omitempty"`
	// Alerts: who is told.
	Alerts Alerts `json:"alerts,omitzero"`
	// Audit: what is recorded, and what is looked for.
	Audit Audit `json:"audit,omitzero"`
	// Functions: how they run.
	Functions Functions `json:"functions,omitzero"`
	// Fleet: the state machine that rotates every secret with a tag.
	Fleet Fleet `json:"fleet,omitzero"`
	// Compliance that the templates are checked against.
	Compliance Compliance `json:"compliance,omitzero"`
	// Removal: what stays when a stack, or a part of it, is deleted.
	Removal Removal `json:"removal,omitzero"`
	// Tags of everything that can have tags.
	Tags map[string]string `json:"tags,omitempty"`

	// vendors are the providers that there are, those of the folder among them; own are the
	// folder's files as they are.
	vendors map[string]declarative.File
	own     map[string][]byte
}

// Regions are the primary Region, where secrets are rotated, and those with replicas.
type Regions struct {
	// Primary Region: functions, rotation, audit.
	Primary Region `json:"primary"`
	// Replicas: readable there even when the primary Region is gone.
	Replicas []Replica `json:"replicas,omitempty"`
}

// Replica is a Region that has copies of the secrets.
type Replica struct {
	// Region of the copies.
	Region Region `json:"region"`
	// Key that encrypts them, by its ARN in that Region. Without it, a replica of the
	// deployment's multi-Region key is made.
	Key ARN `json:"key,omitempty"`
	// Endpoint of Secrets Manager in a VPC there, through which alone secrets with
	// onlyFromVpc are read.
	Endpoint EndpointID `json:"endpoint,omitempty"`
}

// Network is the VPC of the functions that log in to databases: one of vpc, create, outsideVpc.
type Network struct {
	// VPC that exists.
	VPC *ExistingVPC `json:"vpc,omitempty"`
	// Create one: isolated subnets, interface endpoints, no way to the internet.
	Create *NewVPC `json:"create,omitempty"`
	// OutsideVPC: the functions run in no VPC, and reach databases with public addresses only.
	OutsideVPC bool `json:"outsideVpc,omitempty"`
	// Interface endpoints: create makes those that the functions need; existing relies on
	// those of the VPC, or on its way to the internet. Without it: create.
	Endpoints Endpoints `json:"endpoints,omitempty"`
}

// ExistingVPC is a VPC that the deployment does not own.
type ExistingVPC struct {
	// ID of the VPC.
	ID VPCID `json:"id"`
	// Subnets of the functions, best one in each of two availability zones.
	Subnets []SubnetID `json:"subnets"`
	// Zones of these subnets, in the same order.
	Zones []Zone `json:"zones"`
	// CIDR block of the VPC, which may speak to the endpoints that are created.
	CIDR CIDR `json:"cidr,omitempty"`
	// Endpoint of Secrets Manager that exists: where onlyFromVpc asks for one.
	SecretsManagerEndpoint EndpointID `json:"secretsManagerEndpoint,omitempty"`
}

// NewVPC is a VPC that the deployment makes.
type NewVPC struct {
	// CIDR block, /16 to /26.
	CIDR CIDR `json:"cidr"`
	// Zones: availability zones to have a subnet in, two or three. Endpoints cost per zone.
	Zones []Zone `json:"zones"`
}

// Endpoints is whether interface endpoints are made.
type Endpoints string

// What Network.Endpoints can be.
const (
	EndpointsCreate   Endpoints = "create"
	EndpointsExisting Endpoints = "existing"
)

// Encryption is the customer-managed key of the secrets. Logs, queues, tables and the trail
// have another one, which is always made.
type Encryption struct {
	// Key that exists, by its ARN in the primary Region; a multi-Region one, if there are
	// replicas without a key of their own. Without it, a key is made.
	Key ARN `json:"key,omitempty"`
	// Administrators of the key that is made, by ARN: they may manage but not use it.
	// Without them, the account's own IAM policies decide.
	Administrators []ARN `json:"administrators,omitempty"`
}

// Passwords is what the passwords of database users look like.
type Passwords struct {
	// Length in characters, 8 to 128.
	Length int `json:"length,omitempty" jsonschema:"minimum=8,maximum=128"`
	// Characters that no password has. Write '' to exclude none.
	ExcludeCharacters *string `json:"excludeCharacters,omitempty"`
	// ExcludePunctuation: letters and digits only.
	ExcludePunctuation bool `json:"excludePunctuation,omitempty"`
}

// Functions is how the Lambda functions run.
type Functions struct {
	// For PostgreSQL, MySQL, MariaDB and Aurora.
	RotateRDS RotationFunction `json:"rotate-rds,omitzero"`
	// For Amazon Redshift.
	RotateRedshift RotationFunction `json:"rotate-redshift,omitzero"`
	// For keys of vendors and generated secrets.
	RotateAPIKey APIKeyFunction `json:"rotate-apikey,omitzero"`
	// Turns events into alerts.
	AuditForwarder Function `json:"audit-forwarder,omitzero"`
	// Days that the functions' logs are kept: one of CloudWatch Logs' values.
	LogRetention int `json:"logRetention,omitempty" jsonschema:"enum=1,enum=3,enum=5,enum=7,enum=14,enum=30,enum=60,enum=90,enum=120,enum=150,enum=180,enum=365,enum=400,enum=545,enum=731,enum=1096,enum=1827,enum=2192,enum=2557,enum=2922,enum=3288,enum=3653"`
	// Tracing with X-Ray.
	Tracing bool `json:"tracing,omitempty"`
	// CodeSigning: only code signed by this profile runs (the ARN of a signing profile's version).
	CodeSigning ARN `json:"codeSigning,omitempty"`
	// Hosts that may be spoken to without TLS, if the secret says "ssl": false
	// too. Not for production.
	PlaintextHosts []Host `json:"plaintextHosts,omitempty"`
}

// RotationFunction is a function that rotates.
type RotationFunction struct {
	Function
	// Grace: how long an old credential stays valid after a rotation, where the system can
	// have two (RETIRE_AFTER). '0' leaves it until the next rotation.
	Grace Duration `json:"grace,omitempty"`
}

// APIKeyFunction is the function that rotates keys of vendors.
type APIKeyFunction struct {
	RotationFunction
	// Who is asked for a key that only a person can make (rekey submit).
	Ask Ask `json:"ask,omitzero"`
}

// Ask is how a person is asked: by an event, a message, or both.
type Ask struct {
	// Event bus, by its ARN. The event is "Secret Needs A Person" of the source "rekey".
	EventBus ARN `json:"eventBus,omitempty"`
	// Topic of SNS that exists, by its ARN.
	Topic ARN `json:"topic,omitempty"`
	// Key that encrypts the topic, by its ARN.
	TopicKey ARN `json:"topicKey,omitempty"`
}

// Function is what one Lambda function is given.
type Function struct {
	// Memory in MB; processor time grows with it.
	Memory int `json:"memory,omitempty" jsonschema:"minimum=128,maximum=10240"`
	// Timeout of one step.
	Timeout Duration `json:"timeout,omitempty"`
	// Invocations at once that are set aside, at least 10: fewer risk that rotations are
	// throttled. 0 sets none aside.
	ReservedConcurrency int `json:"reservedConcurrency,omitempty" jsonschema:"minimum=0,maximum=1000"`
}

// Fleet is the state machine that rotates every secret with a tag, after a leak for example.
type Fleet struct {
	// Enabled: make the state machine. It costs nothing until it is started.
	Enabled bool `json:"enabled,omitempty"`
	// Rate: rotations begun each second, at most 25: two writes each, of a quota of 50.
	Rate int `json:"rate,omitempty" jsonschema:"minimum=1,maximum=25"`
	// Percent of failures that a run may have; more end it.
	ErrorBudget int `json:"errorBudget,omitempty" jsonschema:"minimum=1,maximum=100"`
}

// How the state machine of a [Fleet] goes about it: a page of secrets at a time, of which each
// is looked at after every pause, until it is current or was looked at so often.
const (
	// FleetPage keeps a page within the 256 KiB that a state may hold, and 100,000 secrets
	// within the 25,000 events that an execution may have.
	FleetPage = 80
	// FleetPause is what a rotation is given before it is looked at, and looked at again.
	FleetPause = 5 * time.Second
	// FleetLooks make two minutes: what is not current by then has failed, or is being retried
	// by Secrets Manager, and is reported.
	FleetLooks = 24
)

// Compliance is what the templates are checked against when they are made.
type Compliance struct {
	// Packs of rules of cdk-nag. A finding without an accepted reason fails the synthesis.
	Packs []Pack `json:"packs,omitempty" jsonschema:"uniqueItems=true"`
	// ConfigRules: AWS Config watches the deployed secrets (SecretsManager.1 to .4). Needs AWS
	// Config to be on in the account.
	ConfigRules bool `json:"configRules,omitempty"`
}

// Pack is a pack of rules of cdk-nag.
type Pack string

// The packs.
const (
	PackAWSSolutions Pack = "aws-solutions"
	PackHIPAA        Pack = "hipaa"
	PackNIST         Pack = "nist-800-53r5"
	PackPCIDSS       Pack = "pci-dss"
)

// Removal is what stays when it is taken out of the file, or its stack is deleted.
type Removal struct {
	// Secrets that are no longer in the file: retain leaves them in the account, delete has
	// Secrets Manager delete them after its recovery window.
	Secrets RemovalPolicy `json:"secrets,omitempty"`
	// Keys of the deployment: delete schedules their deletion; what they encrypt is then lost.
	Keys RemovalPolicy `json:"keys,omitempty"`
	// Records: the trail, its bucket, and logs.
	Records RemovalPolicy `json:"records,omitempty"`
	// Protection: the stacks refuse to be deleted until this is false.
	Protection bool `json:"protection,omitempty"`
}

// RemovalPolicy is retain or delete.
type RemovalPolicy string

// The removal policies.
const (
	Retain RemovalPolicy = "retain"
	Delete RemovalPolicy = "delete"
)

// Clone is a copy that has nothing in common with the file.
func (f *File) Clone() *File {
	// What JSON leaves out is zero, and so it stays.
	text, err := json.Marshal(f)
	if err != nil {
		panic(err) // plain data
	}
	c := &File{vendors: f.vendors, own: f.own} // never written to
	if err := json.Unmarshal(text, c); err != nil {
		panic(err)
	}
	return c
}

// OwnProviders are the files of the folder that Providers names, by name.
func (f *File) OwnProviders() map[string][]byte { return f.own }
