package declarative

import "github.com/rekey-aws/rekey/shared/apikey"

// File is one provider: what a YAML file says. Strings marked "template" may hold
// ${…}, a jq expression over [the scope]; a template that is one ${…} and nothing
// else keeps the type of its value.
type File struct {
	// The name by which secrets call the provider: "provider": "datadog".
	Provider string `json:"provider" jsonschema:"required,pattern=^[a-z][a-z0-9-]*$"`
	// What it is, for a person: "Datadog API keys".
	Title string `json:"title" jsonschema:"required"`
	// What becomes of the old key when there is a new one.
	Class apikey.Class `json:"class" jsonschema:"required,enum=dual,enum=grace,enum=replace,enum=refresh,enum=assisted"`
	// The vendor's documents that the file was written from.
	Documents []Document `json:"documents" jsonschema:"required,minItems=1"`
	// What a person should know before relying on it: limits, lags, surprises. Shown in the table of vendors.
	Notes []string `json:"notes,omitempty"`

	// Keys of the secret's document that are no secret: hosts, ids, names.
	Settings map[string]Setting `json:"settings,omitempty"`
	// What is issued, and where the secret's document holds it.
	Key KeyShape `json:"key" jsonschema:"required"`
	// The credential that manages keys.
	Admin Admin `json:"admin,omitempty"`

	// How many keys may live at once. 0: unlimited or unknown.
	Limit int `json:"limit,omitempty" jsonschema:"minimum=0"`
	// How long a new key may be refused until the vendor knows it everywhere, such as 30s.
	Lag Duration `json:"lag,omitempty" jsonschema:"pattern=^[1-9][0-9]*(s|m|h)$"`
	// How long an issued key lives, if it ends by itself soon: 1h. Such keys need not be revoked.
	Lifetime Duration `json:"lifetime,omitempty" jsonschema:"pattern=^[1-9][0-9]*(s|m|h)$"`
	// Issuing twice from the same credential does harm: it is not tried again unless it is certain that the first try did not happen.
	Once bool `json:"once,omitempty"`
	// How keys are named at the vendor.
	Name Name `json:"name,omitempty"`

	// Where the API is: an https URL without path, or with the path that all requests share. A template over .settings.
	Base string `json:"base,omitempty"`
	// How requests that manage keys authenticate.
	Auth Auth `json:"auth,omitempty"`
	// Headers that every request carries. Templates.
	Headers map[string]string `json:"headers,omitempty"`
	// Answers that mean something of their own, for all requests, after those of the request itself.
	Errors []ErrorRule `json:"errors,omitempty"`

	// Makes values of our own choice, by field, which "install" then tells the vendor. In place of "issue".
	Choose map[string]Choice `json:"choose,omitempty"`
	// Made before "issue", in order, where a vendor wants to be asked twice: a confirmation, an elevated session. What they do must be harmless if it is done twice.
	Before []Request `json:"before,omitempty"`
	// Makes a key. Its result must have every field of the key.
	Issue *Request `json:"issue,omitempty"`
	// Makes the chosen values valid at the vendor. It must be idempotent.
	Install *Request `json:"install,omitempty"`
	// Proves that a key works, as its consumers use it. .key is the key.
	Check *Request `json:"check" jsonschema:"required"`
	// Tells whether the credential that "issue" uses up is still unused: success and its "ok" say yes, a refused request no.
	Unused *Request `json:"unused,omitempty"`
	// Tells the keys that there are.
	List *List `json:"list,omitempty"`
	// Ends a key, by .id; the requests are made in order.
	Revoke []Request `json:"revoke,omitempty"`
	// Ends the old key after the grace period, where that is another deed than revoking it.
	Retire []Request `json:"retire,omitempty"`
}

// Document is a source.
type Document struct {
	// Where it can be read.
	URL string `json:"url" jsonschema:"required,format=uri"`
	// When it was read: 2026-11-23.
	Read string `json:"read" jsonschema:"required,pattern=^20[0-9][0-9]-[0-1][0-9]-[0-3][0-9]$"`
	// What it is, if the URL does not tell.
	Title string `json:"title,omitempty"`
}

// Setting is a key of the secret's document that is no secret.
type Setting struct {
	// What it is, for a person.
	About string `json:"about,omitempty"`
	// Used where the secret has none. Without a default a setting is required.
	Default *string `json:"default,omitempty"`
	// It may be absent, and is then null in templates.
	Optional bool `json:"optional,omitempty"`
	// A regular expression (RE2) that the whole value must match.
	Pattern string `json:"pattern,omitempty"`
	// The values that it may have.
	OneOf []string `json:"oneOf,omitempty"`
	// It decides which host is spoken to. Where there is an administrator's secret, that secret must say it: who holds the credential says where it is sent.
	Host bool `json:"host,omitempty"`
}

// KeyShape says which keys of the secret's document a credential is made of.
type KeyShape struct {
	// The key with the id by which the vendor lists and revokes.
	ID string `json:"id,omitempty"`
	// The keys that hold secrets.
	Secret []string `json:"secret" jsonschema:"required,minItems=1"`
	// Further keys that change with the credential and are no secrets.
	Public []string `json:"public,omitempty"`
}

// Admin is the credential that manages keys: a secret that the document names as
// "adminSecretArn".
type Admin struct {
	// The keys that the administrator's secret must have.
	Fields []string `json:"fields,omitempty"`
	// Further keys that it may have. Absent ones are null in templates.
	Optional []string `json:"optional,omitempty"`
	// Without an administrator, the secret's own document is used as one.
	Self bool `json:"self,omitempty"`
}

// Name is how keys are named at the vendor. Without it, a list that tells names
// is taken to mean that the vendor keeps the name of the order.
type Name struct {
	// The longest name that the vendor takes; 0: long enough for ours, which have 38 characters.
	Max int `json:"max,omitempty" jsonschema:"minimum=0"`
}

// Choice makes a value.
type Choice struct {
	// How many characters, 16 to 512.
	Length int `json:"length" jsonschema:"required,minimum=16,maximum=512"`
	// The characters to choose from; letters and digits if absent.
	Characters string `json:"characters,omitempty"`
}

// Request is one HTTP request, and what its answer means.
type Request struct {
	// What it does, for a person, if the place does not tell.
	About string `json:"about,omitempty"`
	// "no" marks a request that was written from background knowledge rather than from a document: the table of vendors says so.
	Verified string `json:"verified,omitempty" jsonschema:"enum=yes,enum=no"`

	// The method.
	Method string `json:"method" jsonschema:"required,enum=GET,enum=POST,enum=PUT,enum=PATCH,enum=DELETE,enum=HEAD"`
	// Appended to base. A template; values are escaped.
	Path string `json:"path,omitempty"`
	// A whole https URL, in place of base and path. A template; values are escaped.
	URL string `json:"url,omitempty"`
	// The query. Templates; a null value is left out.
	Query map[string]string `json:"query,omitempty"`
	// Further headers. Templates.
	Headers map[string]string `json:"headers,omitempty"`
	// In place of the file's.
	Auth *Auth `json:"auth,omitempty"`
	// The header that carries the idempotency key, such as Idempotency-Key: the same for every try of one rotation. Where "issue" has it, the vendor answers a repeated order with the same key.
	Idempotency string `json:"idempotency,omitempty"`

	// A JSON body: strings in it are templates; members that are null are left out.
	JSON any `json:"json,omitempty"`
	// A form body. Templates; a null value is left out.
	Form map[string]string `json:"form,omitempty"`
	// A GraphQL body.
	GraphQL *GraphQL `json:"graphql,omitempty"`

	// The statuses of success; any 2xx if absent.
	Success []int `json:"success,omitempty"`
	// A jq expression over the body that must be true, for vendors who answer failures with status 200.
	OK string `json:"ok,omitempty"`
	// Answers that mean something of their own, before those of the file.
	Errors []ErrorRule `json:"errors,omitempty"`
	// jq expressions over the body: the values of the key's fields. For "issue" all of them; "check" may tell the id of a key.
	Result map[string]string `json:"result,omitempty"`
}

// GraphQL is a query and its variables.
type GraphQL struct {
	Query     string `json:"query" jsonschema:"required"`
	Variables any    `json:"variables,omitempty"`
}

// List is a request whose answers tell the keys, page after page.
type List struct {
	Request `json:",inline"`
	// jq: the array of keys in the body.
	Items string `json:"items" jsonschema:"required"`
	// jq over an item, as the others: its id.
	ID string `json:"id" jsonschema:"required"`
	// Its name.
	Name string `json:"name,omitempty"`
	// When it was made, was last used, ends: RFC 3339 text, or Unix seconds or milliseconds. null: never or unknown.
	Created  string `json:"created,omitempty"`
	LastUsed string `json:"lastUsed,omitempty"`
	Expires  string `json:"expires,omitempty"`
	// Whether it is accepted; true if absent.
	Active string `json:"active,omitempty"`
	// Whether it is one of those meant; true if absent. For lists that hold other kinds too.
	Where string `json:"where,omitempty"`
	// How to get the next page; without it there is one.
	Next *Next `json:"next,omitempty"`
}

// Next is how to get the next page.
type Next struct {
	// jq over the body: the cursor of the next page, null or "" at the end; sent as the query parameter "parameter". If "parameter" is absent it is a URL, which must be of the same host.
	Cursor string `json:"cursor,omitempty"`
	// The query parameter that carries the cursor, the number or the offset of a page.
	Parameter string `json:"parameter,omitempty"`
	// Pages have numbers, of which this is the first: 0 or 1. The last page has fewer items than "size".
	FirstPage *int `json:"firstPage,omitempty" jsonschema:"minimum=0,maximum=1"`
	// "parameter" is the number of items to leave out.
	Offset bool `json:"offset,omitempty"`
	// How many items a full page has.
	Size int `json:"size,omitempty" jsonschema:"minimum=1"`
	// The answer's Link header has the next page (RFC 8288, rel="next").
	Link bool `json:"link,omitempty"`
}

// ErrorRule gives an answer its meaning. The first that fits counts.
type ErrorRule struct {
	// The statuses that it is about; any if absent.
	Status []int `json:"status,omitempty"`
	// A jq expression over the body that must be true; null and errors count as false.
	When string `json:"when,omitempty"`
	// refused: the credential is not accepted. denied: it is good and lacks a permission. limit: there are as many keys as the vendor allows. gone: what is to be revoked is not there. throttled: slow down. retry: a failure that may pass. config: the secret or the file is wrong. vendor: anything else.
	Means string `json:"means" jsonschema:"required,enum=refused,enum=denied,enum=limit,enum=gone,enum=throttled,enum=retry,enum=config,enum=vendor"`
	// What a person can do.
	Hint string `json:"hint,omitempty"`
}

// Auth is how a request authenticates: exactly one of them. All values are
// templates.
type Auth struct {
	// Authorization: Bearer …
	Bearer string `json:"bearer,omitempty"`
	// Authorization: Basic …
	Basic *Basic `json:"basic,omitempty"`
	// Headers of the vendor's own, such as DD-API-KEY, or Authorization: SSWS ….
	Headers map[string]string `json:"headers,omitempty"`
	// A bearer token that is got from a token endpoint first.
	OAuth *OAuth `json:"oauth,omitempty"`
	// Authorization: Bearer, a JWT that we sign.
	JWT *JWT `json:"jwt,omitempty"`
	// Signature Version 4 of AWS.
	AWS *AWS `json:"aws,omitempty"`
	// The request carries no credential of its own, or has it in the body.
	None bool `json:"none,omitempty"`
}

// Basic is user and password of RFC 7617.
type Basic struct {
	User     string `json:"user" jsonschema:"required"`
	Password string `json:"password"`
}

// OAuth gets an access token (RFC 6749), once a step: with client credentials
// (§4.4), or with a JWT as authorization grant (RFC 7523 §2.1).
type OAuth struct {
	// The token endpoint: an https URL.
	TokenURL string `json:"tokenUrl" jsonschema:"required"`
	// Who asks.
	ClientID     string `json:"clientId,omitempty"`
	ClientSecret string `json:"clientSecret,omitempty"`
	// Where id and secret go: basic (the default) or body.
	In string `json:"in,omitempty" jsonschema:"enum=basic,enum=body"`
	// The JWT that is the grant, in place of client id and secret.
	JWT   *JWT   `json:"jwt,omitempty"`
	Scope string `json:"scope,omitempty"`
	// Further parameters, such as audience.
	Parameters map[string]string `json:"parameters,omitempty"`
	// The parameters go as JSON rather than as a form.
	JSON bool `json:"json,omitempty"`
}

// JWT is a token that we sign (RFC 7519).
type JWT struct {
	// RS256, ES256, EdDSA or HS256.
	Algorithm string `json:"algorithm" jsonschema:"required,enum=RS256,enum=ES256,enum=EdDSA,enum=HS256"`
	// The private key in PEM (PKCS #1, PKCS #8 or SEC 1), or the shared secret.
	Key string `json:"key" jsonschema:"required"`
	// The header's kid.
	KeyID string `json:"keyId,omitempty"`
	// Claims; iat, exp and jti are added.
	Claims map[string]string `json:"claims,omitempty"`
	// From iat to exp: 5m if absent.
	Lifetime Duration `json:"lifetime,omitempty" jsonschema:"pattern=^[1-9][0-9]*(s|m|h)$"`
	// How far iat lies in the past, for vendors whose clock is behind.
	Backdate Duration `json:"backdate,omitempty" jsonschema:"pattern=^[1-9][0-9]*(s|m|h)$"`
}

// AWS signs with Signature Version 4.
type AWS struct {
	Service         string `json:"service" jsonschema:"required"`
	Region          string `json:"region" jsonschema:"required"`
	AccessKeyID     string `json:"accessKeyId" jsonschema:"required"`
	SecretAccessKey string `json:"secretAccessKey" jsonschema:"required"`
	SessionToken    string `json:"sessionToken,omitempty"`
}

// Duration is a whole number of seconds, minutes or hours: 30s, 5m, 1h.
type Duration string
