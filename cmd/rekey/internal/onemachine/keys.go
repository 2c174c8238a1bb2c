package onemachine

import (
	"crypto/rand"
	"maps"
	"strings"
	"sync"

	"github.com/rekey-aws/rekey/local/lambda"
	"github.com/rekey-aws/rekey/local/secretsmanager"
)

// Self is the caller that the machine's owner is where signatures are checked.
const Self = "rekey-local"

// Account owns the functions, and the secrets of whoever is not said to have another.
const Account = "123456789012"

// keyring holds the keys of the machine's own callers, by their access key ids, which are
// their names.
type keyring struct {
	signed bool

	mu    sync.Mutex
	known map[string]lambda.Credentials
}

// of gives a caller its credentials: random ones if they matter, else ones that open nothing.
func (k *keyring) of(name string) lambda.Credentials {
	if !k.signed {
		return lambda.Credentials{AccessKeyID: name, SecretAccessKey: "local", SessionToken: "local"}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	c, found := k.known[name]
	if !found {
		c = lambda.Credentials{AccessKeyID: name, SecretAccessKey: rand.Text(), SessionToken: rand.Text()}
		if k.known == nil {
			k.known = map[string]lambda.Credentials{}
		}
		k.known[name] = c
	}
	return c
}

// callers adds the functions and Self to those who sign.
func (m *Machine) callers(others map[string]secretsmanager.Caller) map[string]secretsmanager.Caller {
	all := maps.Clone(others)
	if all == nil {
		all = map[string]secretsmanager.Caller{}
	}
	add := func(name, principal string) {
		c := m.credentials.of(name)
		all[name] = secretsmanager.Caller{
			Account: Account, Principal: principal, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken,
		}
	}
	add(Self, "") // the account's root
	for _, f := range m.Functions.Functions() {
		add(f.Name(), role(f))
	}
	return all
}

// role is who a function acts as: on AWS its role has whatever name it was given, and the
// session is called as the function.
func role(f *lambda.Function) string {
	partition := strings.Split(f.ARN(), ":")[1]
	return "arn:" + partition + ":sts::" + Account + ":assumed-role/" + f.Name() + "/" + f.Name()
}
