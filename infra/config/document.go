package config

import (
	"cmp"
	"encoding/json"
	"slices"
)

// Document is the first value of the secret as far as the file tells it: everything but what
// is secret, by the keys that the functions read. See docs/engines.
func (r Resolved) Document() map[string]any {
	switch {
	case r.Database != nil:
		return databaseDocument(r.Database, r.User)
	case r.APIKey != nil:
		d := map[string]any{"provider": r.APIKey.Provider}
		put(d, "adminSecretArn", string(r.APIKey.Admin))
		for key, value := range r.APIKey.Options {
			put(d, key, value)
		}
		return d
	}
	d := map[string]any{"provider": "generated-" + string(r.Generated.Type)}
	put(d, "adminSecretArn", string(r.Generated.Authority))
	for key, value := range r.Generated.Options {
		put(d, key, value)
	}
	return d
}

func databaseDocument(db *Database, u *DatabaseUser) map[string]any {
	d := map[string]any{"engine": string(db.Engine), "username": u.Username}
	put(d, "host", string(db.Host))
	put(d, "dbname", db.DBName)
	put(d, "tlsServerName", string(db.TLSServerName))
	if db.Access != Wire {
		put(d, "access", string(db.Access))
	}
	if db.Port != 0 {
		d["port"] = db.Port
	}
	if u.Strategy != Auto {
		put(d, "strategy", string(u.Strategy))
	}
	if a := db.Admin; a != nil {
		put(d, "masterarn", string(a.Secret))
		if a.IAMUser != "" {
			d["adminAuth"], d["adminUser"] = "iam", a.IAMUser
		}
	}
	return d
}

func put(d map[string]any, key, value string) {
	if value != "" {
		d[key] = value
	}
}

// SecretKeys are the keys of the first value that the file does not tell, because they are
// secret. There are none where the first rotation makes the credential.
func (r Resolved) SecretKeys() []string {
	switch {
	case r.Database != nil:
		return []string{"password"}
	case r.APIKey == nil || r.APIKey.Admin != "":
		return nil
	}
	keys := slices.Concat(r.vendor.Key.Secret, r.vendor.Admin.Fields)
	if r.vendor.Key.ID != "" {
		keys = append([]string{r.vendor.Key.ID}, keys...)
	}
	seen := map[string]bool{}
	return slices.DeleteFunc(keys, func(k string) bool {
		twice := seen[k]
		seen[k] = true
		return twice
	})
}

// FirstValue is the whole document, with what is secret filled in. host is the endpoint where
// the file names an instance or a cluster.
func (r Resolved) FirstValue(host string, secret map[string]string) ([]byte, error) {
	d := r.Document()
	if r.Database != nil {
		put(d, "host", cmp.Or(string(r.Database.Host), host))
	}
	for key, value := range secret {
		d[key] = value
	}
	return json.Marshal(d)
}

// NeedsHost says whether the file names the server by what it is called in RDS or Redshift,
// so that its endpoint must be looked up.
func (r Resolved) NeedsHost() bool { return r.Database != nil && r.Database.Host == "" }
