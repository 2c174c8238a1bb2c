package secretsmanager

import (
	"fmt"
	"net"
	"net/http"
	"strings"
)

// Caller is who stands behind an access key id, for [Options.Callers].
type Caller struct {
	Account   string // twelve digits; Options.Account if empty
	Principal string // the ARN of a user, a role or a role's session; the account's root if empty

	// SecretAccessKey signs the caller's requests. As soon as one caller has a key, every
	// request must be signed by a caller that has one; without any, signatures are not looked at.
	SecretAccessKey string
	SessionToken    string // if set, signed requests must carry it

	// What the global condition keys of policies say of the caller's requests.
	OrgID           string // aws:PrincipalOrgID
	SourceVPCE      string // aws:SourceVpce
	SecureTransport bool   // aws:SecureTransport, also where the connection is plain HTTP
}

// String names the caller, and keeps its key out of logs.
func (c Caller) String() string { return "caller " + c.Principal }

// GoString is String for %#v.
func (c Caller) GoString() string { return c.String() }

// place is where secrets are: an account in a Region.
type place struct{ account, region string }

// caller is what a request says of itself outside its body.
type caller struct {
	place
	operation string
	accessKey string
	agent     string
	sourceIP  string
	secure    bool    // the connection is TLS
	who       *Caller // nil: a stranger, who is no one's principal and belongs to the server's own account
	body      []byte  // of the request

	secret *secret  // that the call is about, once it is found
	batch  []string // the ARNs of the secrets whose values were read together
}

// identify takes the Region and the access key from the signature's credential scope.
func (s *Server) identify(r *http.Request) *caller {
	c := &caller{
		place: place{s.opt.Account, s.opt.Region}, agent: r.UserAgent(), sourceIP: r.RemoteAddr, secure: r.TLS != nil,
		operation: strings.TrimPrefix(r.Header.Get("X-Amz-Target"), targetPrefix),
	}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		c.sourceIP = host
	}
	key, region := credentialScope(r.Header.Get("Authorization"))
	if key == "" {
		return c
	}
	c.accessKey, c.region = key, region
	if who, found := s.opt.Callers[key]; found {
		c.account, c.who = who.Account, &who
	}
	return c
}

// credentialScope reads Credential=KEY/DATE/REGION/… of an Authorization header.
func credentialScope(header string) (key, region string) {
	_, scope, found := strings.Cut(header, "Credential=")
	if !found {
		return "", ""
	}
	key, scope, _ = strings.Cut(scope, "/")
	_, scope, _ = strings.Cut(scope, "/")
	region, _, found = strings.Cut(scope, "/")
	if !found || key == "" || len(key) > 128 || !validRegion(region) {
		return "", ""
	}
	return key, region
}

func validRegion(name string) bool {
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return name != "" && len(name) <= 32
}

// principal is the ARN that the service's errors and policies know a caller by.
func (c *caller) principal() string {
	if c.who != nil && c.who.Principal != "" {
		return c.who.Principal
	}
	return fmt.Sprintf("arn:%s:iam::%s:root", partition(c.region), c.account)
}

// completeCallers completes the callers, or says what is wrong with one.
func (o *Options) completeCallers() error {
	complete := make(map[string]Caller, len(o.Callers))
	for key, who := range o.Callers {
		if who.Account == "" {
			who.Account = o.Account
		}
		switch {
		case key == "":
			return fmt.Errorf("local Secrets Manager: a caller has no access key id: give one such as AKIAIOSFODNN7EXAMPLE")
		case !accountForm.MatchString(who.Account):
			return fmt.Errorf("local Secrets Manager: the caller %s has account %q, which is not an AWS account id: give twelve digits", key, who.Account)
		case who.Principal != "" && !strings.HasPrefix(who.Principal, "arn:"):
			return fmt.Errorf("local Secrets Manager: the caller %s has principal %q, which is no ARN: give one such as arn:aws:iam::%s:role/app", key, who.Principal, who.Account)
		}
		o.signed = o.signed || who.SecretAccessKey != ""
		complete[key] = who
	}
	o.Callers = complete
	return nil
}
