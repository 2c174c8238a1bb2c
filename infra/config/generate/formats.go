package main

import (
	"reflect"

	"github.com/invopop/jsonschema"

	"github.com/rekey-aws/rekey/infra/config"
)

// format is what a text must look like, that in words for errors, and in a word for the page.
type format struct {
	words, pattern, example, short string
}

const arn = `arn:aws(-[a-z]+)*:`

// Patterns are of the subset that Go, ECMAScript and editors read alike.
var formats = map[reflect.Type]format{
	reflect.TypeFor[config.Name](): {
		"lower-case letters, digits and hyphens, at most 32, beginning with a letter and not ending with a hyphen",
		`^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$`, "orders", "name",
	},
	reflect.TypeFor[config.Account]():      {"an account's twelve digits, in quotes", `^[0-9]{12}$`, "123456789012", "account id"},
	reflect.TypeFor[config.Organization](): {"an organization's id, such as o-a1b2c3d4e5", `^o-[a-z0-9]{10,32}$`, "o-a1b2c3d4e5", "organization id"},
	reflect.TypeFor[config.Region](): {
		"a Region's code, such as eu-central-1",
		`^[a-z]{2,4}(-[a-z]{3,4})?-(north|south|east|west|central|northeast|northwest|southeast|southwest)-[1-9]$`, "eu-central-1", "Region",
	},
	reflect.TypeFor[config.Zone](): {
		"an availability zone, such as eu-central-1a",
		`^[a-z]{2,4}(-[a-z]{3,4})?-(north|south|east|west|central|northeast|northwest|southeast|southwest)-[1-9][a-z]$`, "eu-central-1a", "zone",
	},
	reflect.TypeFor[config.ARN](): {
		"an ARN in full, without * or ?",
		`^` + arn + `[a-z0-9-]+:[a-z0-9-]*:([0-9]{12})?:[^*?\s]+$`, "arn:aws:iam::123456789012:role/orders", "ARN",
	},
	reflect.TypeFor[config.SecretName]():      {"letters, digits and /_+=.@- , at most 512", `^[A-Za-z0-9/_+=.@-]{1,512}$`, "shop/orders", "name of a secret"},
	reflect.TypeFor[config.Identifier]():      {"an identifier: lower-case letters, digits and hyphens, beginning with a letter, at most 63", `^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`, "orders", "identifier"},
	reflect.TypeFor[config.Host]():            {"a host name or an address, without scheme and port", `^[A-Za-z0-9]([A-Za-z0-9._:-]{0,251}[A-Za-z0-9])?$`, "orders.example.com", "host name"},
	reflect.TypeFor[config.CIDR]():            {"an IPv4 block, such as 10.0.0.0/16", `^[0-9]{1,3}(\.[0-9]{1,3}){3}/[0-9]{1,2}$`, "10.0.0.0/16", "CIDR block"},
	reflect.TypeFor[config.VPCID]():           {"a VPC's id, such as vpc-0a1b2c3d", `^vpc-[0-9a-f]{8,17}$`, "vpc-0a1b2c3d4e5f60718", "VPC id"},
	reflect.TypeFor[config.SubnetID]():        {"a subnet's id, such as subnet-0a1b2c3d", `^subnet-[0-9a-f]{8,17}$`, "subnet-0a1b2c3d4e5f60718", "subnet id"},
	reflect.TypeFor[config.SecurityGroupID](): {"a security group's id, such as sg-0a1b2c3d", `^sg-[0-9a-f]{8,17}$`, "sg-0a1b2c3d4e5f60718", "security group id"},
	reflect.TypeFor[config.EndpointID]():      {"an endpoint's id, such as vpce-0a1b2c3d", `^vpce-[0-9a-f]{8,17}$`, "vpce-0a1b2c3d4e5f60718", "endpoint id"},
	reflect.TypeFor[config.Folder]():          {"a folder below the file's own, such as providers", `^[A-Za-z0-9_][A-Za-z0-9_-]*(/[A-Za-z0-9_][A-Za-z0-9_-]*)*$`, "providers", "folder"},
	reflect.TypeFor[config.EmailAddress]():    {"an email address", `^[^@\s]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}$`, "security@example.com", "email address"},
	reflect.TypeFor[config.Duration]():        {"a whole number and s, m, h, d or w, such as 30d; or 0 in quotes", `^(0|[1-9][0-9]{0,5}[smhdw])$`, "30d", "duration"},
}

var choices = map[reflect.Type][]any{
	reflect.TypeFor[config.Engine]():           {config.Postgres, config.AuroraPostgres, config.MySQL, config.AuroraMySQL, config.MariaDB, config.Redshift},
	reflect.TypeFor[config.Strategy]():         {config.Auto, config.Single, config.Dual, config.Alternating},
	reflect.TypeFor[config.Access]():           {config.Wire, config.DataAPI},
	reflect.TypeFor[config.Endpoints]():        {config.EndpointsCreate, config.EndpointsExisting},
	reflect.TypeFor[config.Pack]():             {config.PackAWSSolutions, config.PackHIPAA, config.PackNIST, config.PackPCIDSS},
	reflect.TypeFor[config.RemovalPolicy]():    {config.Retain, config.Delete},
	reflect.TypeFor[config.Severity]():         {config.Informational, config.Low, config.Medium, config.High, config.Critical},
	reflect.TypeFor[config.PipelineProvider](): {config.GitHub, config.GitLab, config.Other},
	reflect.TypeFor[config.GeneratedType]():    {config.Text, config.KeyPair, config.JWKS, config.SSHKey, config.Certificate},
	reflect.TypeFor[config.LockMode]():         {config.Governance, config.Lock},
}

// text is the schema of a kind of text, nil of every other type.
func text(t reflect.Type) *jsonschema.Schema {
	if f, ok := formats[t]; ok {
		return &jsonschema.Schema{Type: "string", Title: f.words, Pattern: f.pattern, Examples: []any{f.example}}
	}
	if c, ok := choices[t]; ok {
		return &jsonschema.Schema{Type: "string", Enum: c}
	}
	return nil
}
