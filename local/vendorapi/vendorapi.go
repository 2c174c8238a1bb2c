// Package vendorapi has the key APIs of vendors on one machine: accounts in memory that
// answer as the vendors' documents say they do, so that providers can be tested against
// something that was not written from the providers' own files.
//
// Every vendor is a table of calls: method, host, path, parameters, headers, body, reply,
// with the document that each is from and the day it was read. An account is strict: a
// request that no document has (an unknown path, parameter, header or field, or one that
// is missing) is refused and kept in [Account.Undocumented], for the test to fail.
//
// What vendors are known for is part of their tables: how many keys may live at once, how
// long a new key takes to work and an ended one to die, refresh tokens that can be used
// once, tokens whose reuse ends the whole family, errors inside a reply of status 200.
package vendorapi

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Vendor is what a vendor's documents say of its API for keys.
type Vendor struct {
	// Name is the name of the provider that rotates this vendor's keys.
	Name string
	// Documents are what the tables were written from.
	Documents []Document
	// Limit is how many keys of one owner may live at once; 0: none is published.
	Limit int
	// Lag is how long a new key takes to work, EndLag how long an ended one goes on
	// working. The documents say "eventually" or "some delay": the figures are ours.
	Lag, EndLag time.Duration
	// Life is how long a key lives; 0: until it is ended.
	Life time.Duration
	// Forgetful is a vendor that lists a new key only after Lag.
	Forgetful bool

	calls []call
	// id and secret make those of the nth key; nil: a string that no other vendor has.
	id, secret func(n int) string
	// admin is the administrator's credential; place are the ids that requests name.
	admin, place map[string]string
	// errors is the body of an error; nil: {"error": what}.
	errors func(status int, what string) any
	// unproven is the status for who cannot prove who they are; 0: 401.
	unproven int
}

// Document is a source of a table.
type Document struct {
	URL string
	// Read is the day on which the table was compared with it, as 2006-01-02.
	Read string
	// Unverified is what the document does not say and the table assumes; "" if nothing.
	Unverified string
}

// Vendors are all that there is, by name.
func Vendors() map[string]*Vendor { return maps.Clone(vendors) }

var vendors = byName(
	anthropic, atlas, auth0, cloudflare, confluent, datadog, entra, fastly, gcp, githubApp, githubPAT, gitlab,
	newRelic, npm, oauthClientCredentials, oauthRefresh, oauthRegistration, okta, openAI, pagerDuty, restVendor,
	sendGrid, slack, stripe, stripePreview, twilio, twilioAuthToken,
)

func byName(all ...*Vendor) map[string]*Vendor {
	named := map[string]*Vendor{}
	for _, v := range all {
		named[v.Name] = v
	}
	return named
}

// Account is one customer's account at a vendor. It is safe for several goroutines.
type Account struct {
	*Vendor

	clock func() time.Time

	mu           sync.Mutex
	keys         []*Key
	tokens       map[string]*Token // issued to clients, by their text
	spent        map[string]int    // single-use tokens, and how often they were used
	most         int
	undocumented []string
}

// Key is one credential of the account.
type Key struct {
	ID, Name, Secret string
	Created          time.Time
	LastUsed         time.Time // zero: never
	Expires          time.Time // zero: never
	Ended            time.Time // zero: not before it expires
	// Family is the first key of those that replaced each other.
	Family string
	// Disabled keys do not work, and count for the limit.
	Disabled bool
	// Fields are what else the vendor knows of it.
	Fields map[string]string
}

// Token is what a client got for its credential.
type Token struct {
	Client  string // the id of the key or "admin"
	Expires time.Time
}

// Open opens an account at a vendor. The clock is the vendor's.
func (v *Vendor) Open(clock func() time.Time) *Account {
	return &Account{Vendor: v, clock: clock, tokens: map[string]*Token{}, spent: map[string]int{}}
}

// Admin is a part of the administrator's credential, by what the vendor calls it.
func (a *Account) Admin(name string) string { return a.admin[name] }

// Place is one of the ids that say whose keys they are, by what the vendor calls it.
func (a *Account) Place(name string) string { return a.place[name] }

// PrivateKey is what the vendor has the public part of, in PEM, where requests are
// signed: of the administrator, of an app, and of every key.
func (a *Account) PrivateKey() string { return signerPEM() }

// Mint makes a key, as a person would in the vendor's console, that works at once. It
// panics where the limit is reached: tests do not ask for that.
func (a *Account) Mint(name string) Key {
	a.mu.Lock()
	defer a.mu.Unlock()
	k := a.mint(name)
	if k == nil {
		panic(a.Name + ": the limit of live keys is reached")
	}
	k.Created = k.Created.Add(-a.Lag - 24*time.Hour)
	return *k // it has all of its life before it
}

// Use uses a key, as a consumer does.
func (a *Account) Use(secret string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if k := a.bySecret(secret); k != nil && a.works(k) {
		k.LastUsed = a.clock()
	}
}

// End ends a key, as a person would in the vendor's console.
func (a *Account) End(secret string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if k := a.bySecret(secret); k != nil {
		a.end(k)
	}
}

// Keys are all that were made, in that order, ended ones included.
func (a *Account) Keys() []Key {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []Key
	for _, k := range a.keys {
		all = append(all, *k)
	}
	return all
}

// Live are the keys that have not ended.
func (a *Account) Live() []Key {
	return slices.DeleteFunc(a.Keys(), func(k Key) bool { return !a.alive(&k) })
}

// MostLive is how many keys lived at once at the most.
func (a *Account) MostLive() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.most
}

// Works reports whether a key's secret is accepted now. It is not a use.
func (a *Account) Works(secret string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	k := a.bySecret(secret)
	return k != nil && a.works(k)
}

// Replays is how often a single-use token was used again, or a token that had ended was
// rotated once more: what makes vendors end the whole family.
func (a *Account) Replays() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := 0
	for _, uses := range a.spent {
		n += uses - 1
	}
	return n
}

// Undocumented is what was asked of the account that no document has.
func (a *Account) Undocumented() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.undocumented)
}

// RoundTrip implements [http.RoundTripper]: every host is the vendor's.
func (a *Account) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return a.answer(r).response(r), nil
}

// ServeHTTP implements [http.Handler], for a client that was led here.
func (a *Account) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.answer(r).write(w)
}

// mint makes a key now; nil at the limit.
func (a *Account) mint(name string) *Key {
	if a.Limit > 0 && a.living() >= a.Limit {
		return nil
	}
	n := len(a.keys) + 1
	k := &Key{
		ID: fmt.Sprintf("key-%s-%04d", a.Name, n), Name: name, Secret: fmt.Sprintf("%s-secret-%04d-5f0c91e7a3", a.Name, n),
		Created: a.clock(), Fields: map[string]string{},
	}
	if a.id != nil {
		k.ID = a.id(n)
	}
	if a.secret != nil {
		k.Secret = a.secret(n)
	}
	if a.Life > 0 {
		k.Expires = k.Created.Add(a.Life)
	}
	k.Family = k.ID
	k.Fields["refresh"], k.Fields["registration"] = "refresh-"+k.Secret, "registration-"+k.Secret
	a.keys = append(a.keys, k)
	a.most = max(a.most, a.living())
	return k
}

func (a *Account) living() int {
	n := 0
	for _, k := range a.keys {
		if a.alive(k) {
			n++
		}
	}
	return n
}

// alive: it was not ended, and has not expired.
func (a *Account) alive(k *Key) bool {
	return k.Ended.IsZero() && (k.Expires.IsZero() || a.clock().Before(k.Expires))
}

// works: made long enough ago, not disabled, not ended for longer than the vendor needs.
func (a *Account) works(k *Key) bool {
	now := a.clock()
	switch {
	case k.Disabled, now.Before(k.Created.Add(a.Lag)):
		return false
	default:
		return a.alive(k) || !k.Ended.IsZero() && now.Before(k.Ended.Add(a.EndLag))
	}
}

func (a *Account) end(k *Key) {
	if a.alive(k) {
		k.Ended = a.clock()
	}
}

// replace mints the key that ends k at once, and belongs to its family.
func (a *Account) replace(k *Key) *Key {
	a.end(k)
	next := a.mint(k.Name)
	next.Family = k.Family
	return next
}

// endFamily is what vendors do when a key that had ended is used to make another.
func (a *Account) endFamily(family string) {
	for _, k := range a.keys {
		if k.Family == family {
			a.end(k)
		}
	}
}

// spend uses a single-use token, and reports whether it is the first time.
func (a *Account) spend(token string) bool {
	a.spent[token]++
	return a.spent[token] == 1
}

// issue gives a client a token for an hour.
func (a *Account) issue(client string) string {
	text := fmt.Sprintf("%s-token-%04d-2b9d40c6e1", a.Name, len(a.tokens)+1)
	a.tokens[text] = &Token{Client: client, Expires: a.clock().Add(time.Hour)}
	return text
}

// listed are the living keys that the vendor tells of.
func (a *Account) listed() []*Key {
	return slices.DeleteFunc(slices.Clone(a.keys), func(k *Key) bool {
		return !a.alive(k) || a.Forgetful && a.clock().Before(k.Created.Add(a.Lag))
	})
}

func (a *Account) byID(id string) *Key {
	for _, k := range a.keys {
		if k.ID == id {
			return k
		}
	}
	return nil
}

func (a *Account) bySecret(secret string) *Key {
	for _, k := range a.keys {
		if secret != "" && k.Secret == secret {
			return k
		}
	}
	return nil
}
