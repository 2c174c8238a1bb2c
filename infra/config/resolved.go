package config

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/rekey-aws/rekey/shared/apikey"
	"github.com/rekey-aws/rekey/shared/apikey/declarative"
)

// The functions, by the names of their folders.
const (
	RotateRDS      = "rotate-rds"
	RotateRedshift = "rotate-redshift"
	RotateAPIKey   = "rotate-apikey"
	AuditForwarder = "audit-forwarder"
)

// Resolved is one secret, with everything that it inherits filled in.
type Resolved struct {
	// Path is where it stands in the file, such as databases.orders.users.app. It is unique
	// and does not change when others come or go: ids in templates are made of it.
	Path string
	// Name in Secrets Manager. Of an existing secret, its ARN says it.
	Name string
	// Existing secret's ARN, or empty.
	Existing ARN
	// Function that rotates it: RotateRDS, RotateRedshift or RotateAPIKey.
	Function string

	Description string
	Tags        map[string]string // the file's and its own

	Schedule          Schedule
	Grace             Duration // of Function
	RotateImmediately bool
	Replicate         bool
	OnlyFromVPC       bool
	Readers, Writers  Principals

	// One of these is what it holds.
	Database  *Database
	APIKey    *APIKey
	Generated *Generated

	User *DatabaseUser // of Database

	vendor declarative.File // of APIKey
}

// Expression is the schedule as Secrets Manager takes it.
func (s Schedule) Expression() string {
	if s.Cron != "" {
		return "cron(" + s.Cron + ")"
	}
	hours := int(s.Every.Time().Hours())
	if hours%24 == 0 {
		return "rate(" + count(hours/24, "day") + ")"
	}
	return "rate(" + count(hours, "hour") + ")"
}

// Secrets are all secrets of the file, ordered by Path.
func (f *File) Secrets() []Resolved {
	var all []Resolved
	for key, db := range f.Databases {
		for user, u := range db.Users {
			u.Username = cmp.Or(u.Username, string(user))
			u.Strategy = cmp.Or(u.Strategy, Auto)
			r := f.resolve("databases."+string(key)+".users."+string(user), u.Secret, key, user)
			r.Function, r.Grace = RotateRDS, f.Functions.RotateRDS.Grace
			if db.Engine == Redshift {
				r.Function, r.Grace = RotateRedshift, f.Functions.RotateRedshift.Grace
			}
			r.Database, r.User = &db, &u
			all = append(all, r)
		}
	}
	for key, k := range f.APIKeys {
		r := f.resolve("apiKeys."+string(key), k.Secret, key)
		r.Function, r.Grace, r.APIKey = RotateAPIKey, f.Functions.RotateAPIKey.Grace, &k
		r.vendor = f.vendors[k.Provider]
		all = append(all, r)
	}
	for key, g := range f.Generated {
		r := f.resolve("generated."+string(key), g.Secret, key)
		r.Function, r.Grace, r.Generated = RotateAPIKey, f.Functions.RotateAPIKey.Grace, &g
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b Resolved) int { return strings.Compare(a.Path, b.Path) })
	return all
}

func (f *File) resolve(path string, s Secret, keys ...Name) Resolved {
	names := []string{string(f.Name), string(f.Environment)}
	for _, k := range keys {
		names = append(names, string(k))
	}
	tags := maps.Clone(f.Tags)
	if tags == nil {
		tags = map[string]string{}
	}
	maps.Copy(tags, s.Tags)
	d := f.Defaults
	return Resolved{
		Path: path, Name: cmp.Or(string(s.SecretName), strings.Join(names, "/")), Existing: s.Existing,
		Description: s.Description, Tags: tags,
		Schedule:          *cmp.Or(s.Schedule, d.Schedule, &Schedule{}),
		RotateImmediately: *cmp.Or(s.RotateImmediately, d.RotateImmediately, new(bool)),
		Replicate:         *cmp.Or(s.Replicate, d.Replicate, new(bool)),
		OnlyFromVPC:       *cmp.Or(s.OnlyFromVPC, d.OnlyFromVPC, new(bool)),
		Readers:           *cmp.Or(s.Readers, d.Readers, &Principals{}),
		Writers:           *cmp.Or(s.Writers, d.Writers, &Principals{}),
	}
}

// Retires says whether the old credential outlives a rotation of the secret, so that a fifth
// step ends it after the grace period.
func (r Resolved) Retires() bool {
	switch {
	case r.Grace.Time() == 0 || r.Generated != nil:
		return false
	case r.Database != nil:
		return r.Database.Engine.twoPasswords() && r.User.Strategy != Single && !alternates(*r.Database, *r.User)
	}
	return r.vendor.Class == apikey.Dual
}

// RotationStrategy is the strategy as far as the file decides it; empty where the function takes
// the best that the server allows, and where nothing is left to choose.
func (r Resolved) RotationStrategy() string {
	switch {
	case r.APIKey != nil:
		return string(r.vendor.Class)
	case r.Database == nil:
		return ""
	case alternates(*r.Database, *r.User):
		return string(Alternating)
	case r.User.Strategy != Auto:
		return string(r.User.Strategy)
	case !r.Database.Engine.twoPasswords():
		return string(Single)
	}
	return ""
}

// EndpointServices are the services of AWS that the functions in the VPC call, by the names
// of their interface endpoints. Logs and keys are not among them: Lambda writes the logs, and
// Secrets Manager uses the key.
func (f *File) EndpointServices() []string {
	all := []string{"secretsmanager"}
	for _, s := range f.Secrets() {
		switch {
		case s.Function == RotateRedshift:
			all = append(all, s.Database.RedshiftServices()...)
		case s.Function == RotateRDS && s.Database.Admin != nil:
			all = append(all, "rds")
		}
		if s.Function == RotateRDS && s.Retires() {
			all = append(all, "scheduler")
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// RedshiftServices are the services that are asked about the database: who is behind its
// host, where there is an administrator; whose custom domain a name is that is not Redshift's
// own; and the Data API.
func (db *Database) RedshiftServices() []string {
	if db.Admin == nil {
		return nil
	}
	var all []string
	custom := db.Host != "" && !strings.HasSuffix(string(db.Host), ".amazonaws.com") && !strings.HasSuffix(string(db.Host), ".amazonaws.com.cn")
	if db.Workgroup == "" || custom {
		all = append(all, "redshift")
	}
	if db.Workgroup != "" || custom {
		all = append(all, "redshift-serverless")
	}
	if db.Access == DataAPI {
		all = append(all, "redshift-data")
	}
	return all
}
