package config

// Settings are what every kind of secret has, and inherits from the file's defaults.
type Settings struct {
	// Schedule of the rotation.
	Schedule *Schedule `json:"schedule,omitempty"`
	// Rotate at once when the schedule is first deployed or is changed. Otherwise the
	// first rotation waits for its window, and the credential is only tested.
	RotateImmediately *bool `json:"rotateImmediately,omitempty"`
	// Replicate into the Regions with replicas.
	Replicate *bool `json:"replicate,omitempty"`
	// Readers may read the value, and nobody else.
	Readers *Principals `json:"readers,omitempty"`
	// Writers may put a value beside the rotation function: the first one, which a secret that
	// is made does not have. They may read it too.
	Writers *Principals `json:"writers,omitempty"`
	// OnlyFromVPC: the value is read through the VPC's endpoint of Secrets Manager only.
	OnlyFromVPC *bool `json:"onlyFromVpc,omitempty"`
}

// Schedule is when a secret rotates, in UTC: every or cron.
type Schedule struct {
	// Every so many hours or days: 4h to 999d. Counted from the last rotation.
	Every Duration `json:"every,omitempty"`
	// Cron in Secrets Manager's form, in quotes: 0, hours, day of month, month, day of week, *.
	Cron string `json:"cron,omitempty"`
	// Window: the rotation begins within so many whole hours, and not past midnight UTC.
	Window Duration `json:"window,omitempty"`
}

// Secret is where a value is kept.
type Secret struct {
	// Existing secret to take over, by its full ARN; its value stays. Without it, one is made.
	Existing ARN `json:"existing,omitempty"`
	// Name in Secrets Manager. Without it: name/environment/…/key of this entry.
	SecretName SecretName `json:"secretName,omitempty"`
	// Description for people.
	Description string `json:"description,omitempty" jsonschema:"maxLength=2048"`
	// Tags of this secret, beside the file's.
	Tags map[string]string `json:"tags,omitempty"`
	Settings
}

// Database is one server, and the users whose passwords are rotated. Where it is: one of
// host, instance, cluster.
type Database struct {
	// Engine of the server.
	Engine Engine `json:"engine"`
	// Host name or address; the writer's, not a replica's.
	Host Host `json:"host,omitempty"`
	// Instance of RDS, by its identifier. Its endpoint then stands in the secret's first value:
	// rekey value --host.
	Instance Identifier `json:"instance,omitempty"`
	// Cluster of Aurora or Redshift, by its identifier, likewise.
	Cluster Identifier `json:"cluster,omitempty"`
	// Workgroup of Redshift Serverless, beside host.
	Workgroup Identifier `json:"workgroup,omitempty"`
	// Port, if it is not the engine's usual one.
	Port int `json:"port,omitempty" jsonschema:"minimum=1,maximum=65535"`
	// DBName: the database to log in to.
	DBName string `json:"dbname,omitempty"`
	// Name in the server's certificate, where host is another name of it.
	TLSServerName Host `json:"tlsServerName,omitempty"`
	// Access to Redshift: wire logs in to it, data-api needs no way in the network, and an admin.
	// Without it: wire.
	Access Access `json:"access,omitempty"`
	// Admin who manages users: needed for alternating users.
	Admin *Admin `json:"admin,omitempty"`
	// Security groups of the server: the functions may reach these, and no other.
	SecurityGroups []SecurityGroupID `json:"securityGroups,omitempty"`
	// CIDR blocks of the server, where it has no security group that can be named.
	CIDRs []CIDR `json:"cidrs,omitempty"`
	// Users whose passwords are rotated, one secret each. The key is part of the secret's name.
	Users map[Name]DatabaseUser `json:"users"`
}

// Engine is a kind of database.
type Engine string

// The engines.
const (
	Postgres       Engine = "postgres"
	AuroraPostgres Engine = "aurora-postgresql"
	MySQL          Engine = "mysql"
	AuroraMySQL    Engine = "aurora-mysql"
	MariaDB        Engine = "mariadb"
	Redshift       Engine = "redshift"
)

// Access is a way in to Redshift.
type Access string

// The ways in.
const (
	Wire    Access = "wire"
	DataAPI Access = "data-api"
)

// Admin is who manages the database's users: secret or iamUser.
type Admin struct {
	// Secret of the administrator, by its full ARN; also one that RDS or Redshift manages.
	Secret ARN `json:"secret,omitempty"`
	// Key that encrypts that secret, if it is not aws/secretsmanager.
	Key ARN `json:"key,omitempty"`
	// User who logs in by IAM (database authentication, or Redshift's temporary credentials):
	// there is no password.
	IAMUser string `json:"iamUser,omitempty" jsonschema:"minLength=1,maxLength=63"`
	// Resource id of the RDS instance (db-…) or Aurora cluster (cluster-…), for iamUser.
	ResourceID string `json:"resourceId,omitempty" jsonschema:"pattern=^(db|cluster)-[A-Z0-9]+$"`
}

// DatabaseUser is one user of a database, and its secret.
type DatabaseUser struct {
	// Username in the database. Without it: the key of this entry.
	Username string `json:"username,omitempty" jsonschema:"minLength=1,maxLength=128"`
	// Strategy: what happens to the old password. auto takes the best that the server allows.
	Strategy Strategy `json:"strategy,omitempty"`
	Secret
}

// Strategy is what happens to a user's old password.
type Strategy string

// The strategies.
const (
	Auto        Strategy = "auto"
	Single      Strategy = "single"
	Dual        Strategy = "dual"
	Alternating Strategy = "alternating"
)

// APIKey is a key or token of a vendor.
type APIKey struct {
	// Provider: the vendor, as the provider files name it.
	Provider string `json:"provider" jsonschema:"minLength=1"`
	// Settings of the provider, such as an account or a site: see docs/vendors.md. They
	// become keys of the secret. Never a secret themselves.
	Options map[string]string `json:"settings,omitempty"`
	// Admin: the ARN of the secret whose credential makes and revokes keys, where the
	// provider needs one.
	Admin ARN `json:"admin,omitempty"`
	// Key that encrypts that secret, if it is not aws/secretsmanager.
	AdminKey ARN `json:"adminKey,omitempty"`
	Secret
}

// Generated is a secret that is made here.
type Generated struct {
	// Type of the value: string (text, hex, base64, a UUID; HMAC keys), key-pair (RSA, ECDSA,
	// Ed25519), jwks (keys that sign JWTs, with overlap), ssh-key, certificate (TLS).
	Type GeneratedType `json:"type"`
	// Settings of the type, such as format and length of a string: see docs/engines/generated.md.
	Options map[string]string `json:"settings,omitempty"`
	// Authority that signs certificates, by the ARN of the secret with caPrivateKey and
	// caCertificate. Without it they sign themselves.
	Authority ARN `json:"authority,omitempty"`
	// Key that encrypts that secret, if it is not aws/secretsmanager.
	AuthorityKey ARN `json:"authorityKey,omitempty"`
	Secret
}

// GeneratedType is a kind of value.
type GeneratedType string

// The kinds, as the providers generated-… make them.
const (
	Text        GeneratedType = "string"
	KeyPair     GeneratedType = "key-pair"
	JWKS        GeneratedType = "jwks"
	SSHKey      GeneratedType = "ssh-key"
	Certificate GeneratedType = "certificate"
)

// Principals are who may do something: all that are named here.
type Principals struct {
	// Roles and users, by full ARN. No wildcards.
	ARNs []ARN `json:"arns,omitempty" jsonschema:"uniqueItems=true"`
	// Tagged: principals of the account that have all these tags.
	Tagged map[string]string `json:"tagged,omitempty"`
	// Pipelines of this file.
	Pipelines []Name `json:"pipelines,omitempty" jsonschema:"uniqueItems=true"`
}

// Pipeline is a build that gets a role by OpenID Connect, without a stored key.
type Pipeline struct {
	// Provider of the tokens. Another one is given by its issuer.
	Provider PipelineProvider `json:"provider"`
	// Issuer of the tokens, https://…, for provider: other.
	Issuer string `json:"issuer,omitempty" jsonschema:"pattern=^https://[a-z0-9.-]+(/[A-Za-z0-9._~-]+)*$"`
	// Subjects: the claims "sub" that are let in, such as repo:acme/shop:ref:refs/heads/main.
	// A * is allowed after the repository only.
	Subjects []string `json:"subjects"`
	// Audience of the tokens.
	Audience string `json:"audience,omitempty" jsonschema:"minLength=1"`
	// Identity provider that exists in IAM, by its ARN. Without it, one is made; an account can
	// have one for each issuer.
	IdentityProvider ARN `json:"identityProvider,omitempty"`
}

// PipelineProvider issues tokens to pipelines.
type PipelineProvider string

// The providers of pipelines' tokens.
const (
	GitHub PipelineProvider = "github"
	GitLab PipelineProvider = "gitlab"
	Other  PipelineProvider = "other"
)
