package serve

import (
	"maps"
	"slices"
	"strings"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/onemachine"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/usage"
	"github.com/rekey-aws/rekey/local/cloudtrail"
	"github.com/rekey-aws/rekey/local/secretsmanager"
)

// stand are the options of Secrets Manager that the command line names, each of them tried:
// a setting that is wrong is told before anything is built.
func (c *Command) stand() (secretsmanager.Options, error) {
	o := secretsmanager.Options{Region: c.Region, ReplicationDelay: c.ReplicationDelay, Account: onemachine.Account}
	var err error
	if o.Faults, err = secretsmanager.ParseFaults(c.Fault...); err != nil {
		return o, usage.Errorf("--fault: %v", err)
	}
	if c.ReplicationDelay < 0 {
		return o, usage.Errorf("--replication-delay: %s is in the past: give a duration such as 5s", c.ReplicationDelay)
	}
	if len(c.KMSKey) > 0 {
		o.Keys = c.KMSKey
	}
	if err := refused(secretsmanager.Options{Keys: o.Keys}); err != nil {
		return o, usage.Errorf("--kms-key: %v", err)
	}
	if c.Credentials == "" {
		return o, nil
	}
	if o.Callers, err = c.callers(); err != nil {
		return o, err
	}
	if err := refused(secretsmanager.Options{Callers: o.Callers}); err != nil {
		return o, usage.Errorf("--credentials: %s: %v", c.Credentials, err)
	}
	return o, nil
}

// refused is what a server that is thrown away says of options.
func refused(o secretsmanager.Options) error {
	server, err := secretsmanager.New(o)
	if err != nil {
		return reworded{err}
	}
	return server.Close()
}

// reworded is an error of the server's without the server's name, which the flag replaces.
type reworded struct{ error }

func (e reworded) Error() string {
	return strings.TrimPrefix(e.error.Error(), "local Secrets Manager: ")
}

// callers are the profiles of the credentials file, each the user of its name.
func (c *Command) callers() (map[string]secretsmanager.Caller, error) {
	profiles, err := readProfiles(c.Credentials)
	if err != nil {
		return nil, err
	}
	callers := map[string]secretsmanager.Caller{}
	for _, name := range slices.Sorted(maps.Keys(profiles)) {
		p := profiles[name]
		key := p["aws_access_key_id"]
		if _, twice := callers[key]; twice || key == onemachine.Self {
			return nil, usage.Errorf("--credentials: %s: the profile %s has the access key id of another caller: give each its own", c.Credentials, printable(name))
		}
		account := p["aws_account_id"]
		if account == "" {
			account = onemachine.Account
		}
		callers[key] = secretsmanager.Caller{
			Account: account, Principal: cloudtrail.DefaultPrincipal(account, name, c.Region),
			SecretAccessKey: p["aws_secret_access_key"], SessionToken: p["aws_session_token"],
		}
	}
	return callers, nil
}
