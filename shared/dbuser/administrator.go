package dbuser

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// RDS is what AWS tells of its database servers, and the tokens that log in to
// them. It is asked only where the secrets themselves do not tell enough. It is
// safe for several goroutines; its errors wrap one sentinel of package rotation.
type RDS interface {
	// Server describes the instance or cluster with an ARN.
	Server(ctx context.Context, arn string) (Server, error)
	// Behind describes the instance or cluster that a host name of RDS belongs to.
	// ErrConfig is a name that is none of this account and Region.
	Behind(ctx context.Context, host string) (Server, error)
	// Token makes a token for a login over TLS, in place of a password.
	Token(ctx context.Context, l Login) (rotation.Value, error)
}

// Server is an instance of RDS, or a cluster.
type Server struct {
	ARN    string
	Engine string // as secrets have it
	Host   string // the endpoint that writes, or "" if it is out of sight
	Port   int
	// ReadOnly: what was asked for leads, or may lead, to a replica of the server.
	ReadOnly bool
}

// adminLabel is what errors call the secret that "masterarn" names.
const adminLabel = "the admin secret"

// iamLabel is what errors call the credential of an administrator without secret.
const iamLabel = "a token of IAM"

const tokenRefused = "Check that the server has IAM database authentication turned on, that the administrator's user is made for it " +
	"(PostgreSQL: GRANT rds_iam; MySQL: IDENTIFIED WITH AWSAuthenticationPlugin), and that the function's role is allowed rds-db:connect as that user."

// administrator logs in as who manages the user of the current secret.
func (e *Engine) administrator(ctx context.Context, r rotation.Request, current Secret) (Administrator, error) {
	s, label, err := e.administering(ctx, r, current)
	if err != nil {
		return nil, err
	}
	return s.loginAsAdmin(ctx, label, current)
}

// loginAsAdmin logs an administrator in, who manages the user of the current secret.
func (s Secret) loginAsAdmin(ctx context.Context, label string, current Secret) (Administrator, error) {
	s.Database = current.Database // a pair is made alike where its user works
	session, err := s.login(ctx, label)
	if err != nil {
		return nil, err
	}
	admin, ok := session.(Administrator)
	if !ok {
		_ = session.Close()
		return nil, fmt.Errorf("%s manages no other users here: %w", s.Engine, rotation.ErrConfig)
	}
	return admin, nil
}

// administering is the login of the administrator. A password goes only where
// the administrator's own secret, or RDS, says: never where someone wrote into
// the user's secret. And it is used only if that is the user's server: else
// whoever can write a user's secret could have passwords set on another.
func (e *Engine) administering(ctx context.Context, r rotation.Request, current Secret) (Secret, string, error) {
	if current.AdminUser != "" && current.API != nil {
		s := current
		s.Username, s.Token, s.Password, s.API = current.AdminUser, true, rotation.Value{}, &APILogin{}
		return s, iamLabel, nil
	}
	if current.AdminUser != "" {
		s, err := e.withToken(ctx, current)
		return s, iamLabel, err
	}
	v, err := r.Secret(ctx, current.Admin)
	if err != nil {
		return Secret{}, "", fmt.Errorf("reading %s %s: %w", adminLabel, current.Admin, err)
	}
	doc, err := rotation.ParseDocument(v)
	if err != nil {
		return Secret{}, "", fmt.Errorf("%s: %w", adminLabel, err)
	}
	if !doc.Has("engine") && !doc.Has("host") {
		s, err := e.managed(ctx, r, current, doc)
		return s.throughAPI(current), adminLabel, err
	}
	s, err := e.parse(v, adminLabel)
	if err == nil {
		err = e.sameServer(ctx, current, s, nil)
	}
	return s.throughAPI(current), adminLabel, err
}

// throughAPI is the administrator as the user's secret has it reached. The API
// reads the administrator's secret itself.
func (s Secret) throughAPI(current Secret) Secret {
	s.API = nil
	if current.API != nil {
		s.API = &APILogin{SecretARN: current.Admin}
	}
	return s
}

// withToken is the administrator who logs in with a token: on the user's server,
// of which the token bears the name.
func (e *Engine) withToken(ctx context.Context, current Secret) (Secret, error) {
	if e.RDS == nil {
		return Secret{}, errNoRDS("makes no tokens")
	}
	s := current
	s.Username, s.Token = current.AdminUser, true
	var err error
	if s.Password, err = e.RDS.Token(ctx, s.Login); err != nil {
		return Secret{}, fmt.Errorf("making %s for %q on %s: %w", iamLabel, clip(s.Username), s.address(), err)
	}
	return s, nil
}

// managed is the administrator whose secret RDS manages. It holds a user name
// and a password; of what server they are, a tag tells that only AWS can set.
//
// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html
func (e *Engine) managed(ctx context.Context, r rotation.Request, current Secret, doc rotation.Document) (Secret, error) {
	tags, err := r.Tags(ctx, current.Admin)
	if err != nil {
		return Secret{}, fmt.Errorf("reading the tags of %s %s: %w", adminLabel, current.Admin, err)
	}
	arn := ownerARN(tags)
	if arn == "" {
		return Secret{}, rotation.WithHint(fmt.Errorf(`reading %s %s: it has neither the keys "engine" and "host" nor the tag of a secret that RDS manages: %w`, adminLabel, current.Admin, rotation.ErrConfig),
			`Add "engine", "host" and, if it is not the usual one, "port" to the administrator's secret; or name the secret that RDS manages in "masterarn".`)
	}
	if e.RDS == nil {
		return Secret{}, errNoRDS("asks RDS for no server")
	}
	server, err := e.RDS.Server(ctx, arn)
	if err != nil {
		return Secret{}, fmt.Errorf("looking for the server of %s, %s: %w", adminLabel, clip(arn), err)
	}
	p := &parser{doc: doc, label: adminLabel}
	s := Secret{Engine: server.Engine, driver: e.Drivers[server.Engine], Login: Login{
		Host: server.Host, Port: server.Port, ServerName: server.Host,
		Username: p.text("username", true), Password: rotation.TextValue(p.text("password", true)),
	}}
	switch {
	case p.err != nil:
		return Secret{}, p.err
	case s.driver == nil:
		return Secret{}, rotation.WithHint(fmt.Errorf("looking for the server of %s: its engine is %q: %w", adminLabel, clip(s.Engine), rotation.ErrConfig),
			"This function serves "+strings.Join(slices.Sorted(maps.Keys(e.Drivers)), ", ")+".")
	case s.Host == "" || server.ReadOnly:
		return Secret{}, rotation.WithHint(fmt.Errorf("looking for the server of %s: %s has no endpoint that writes: %w", adminLabel, clip(arn), rotation.ErrConfig),
			"Wait until the server is available. A replica's users are its source's.")
	}
	return s, e.sameServer(ctx, current, s, &server)
}

// ownerARN is the server whose admin secret has these tags. AWS has written their
// names in more than one case.
func ownerARN(tags map[string]string) string {
	for key, value := range tags {
		switch strings.ToLower(key) {
		case "aws:rds:primarydbinstancearn", "aws:rds:primarydbclusterarn", "aws:redshift:primaryclusterarn", "aws:redshift-serverless:namespacearn":
			return value
		}
	}
	return ""
}

// sameServer refuses an administrator of another server than the user's. RDS is
// asked only if the two secrets do not say so in the same words; told is what it
// has said of the administrator's already.
func (e *Engine) sameServer(ctx context.Context, current, admin Secret, told *Server) error {
	switch {
	case admin.driver != current.driver:
		return notTheSame("engine", admin.Engine)
	case admin.Port != current.Port:
		return notTheSame("port", fmt.Sprint(admin.Port))
	case strings.EqualFold(admin.Host, current.Host):
		return nil
	case e.RDS == nil, admin.Plaintext, current.Plaintext:
		// Without TLS a host can be anything, whatever name it goes by.
		return notTheSame("host", admin.Host)
	}
	users, err := e.RDS.Behind(ctx, current.ServerName)
	if err != nil {
		return otherWords(err, current, admin)
	}
	if told == nil {
		told = &users
		if !strings.EqualFold(admin.ServerName, current.ServerName) {
			server, err := e.RDS.Behind(ctx, admin.ServerName)
			if err != nil {
				return otherWords(err, current, admin)
			}
			told = &server
		}
	}
	switch {
	case users.ARN != told.ARN:
		return rotation.WithHint(fmt.Errorf("comparing the host %q of %s with %q of %s: they are of %s and %s: %w",
			clip(admin.ServerName), adminLabel, clip(current.ServerName), rotation.Current, clip(told.ARN), clip(users.ARN), rotation.ErrConfig),
			`"masterarn" must name an administrator of the user's own server.`)
	case users.ReadOnly:
		return readOnly(rotation.Current, current.ServerName, users)
	case told.ReadOnly:
		return readOnly(adminLabel, admin.ServerName, *told)
	}
	return nil
}

func readOnly(label, host string, s Server) error {
	writer := s.Host
	if writer == "" {
		writer = "of " + s.ARN
	}
	return rotation.WithHint(fmt.Errorf("reading %s: the host %q leads to a replica: %w", label, clip(host), rotation.ErrConfig),
		fmt.Sprintf(`Use the writer endpoint %s as "host". Consumers may find the reader's under a key of their own.`, clip(writer)))
}

// otherWords is for two hosts of which RDS cannot tell whether they are one
// server.
func otherWords(err error, current, admin Secret) error {
	return fmt.Errorf("comparing the host %q of %s with %q of %s: %w", clip(admin.ServerName), adminLabel, clip(current.ServerName), rotation.Current, err)
}

func notTheSame(key, value string) error {
	return rotation.WithHint(fmt.Errorf("comparing %s with %s: the key %q is %q there: %w", adminLabel, rotation.Current, key, clip(value), rotation.ErrConfig),
		fmt.Sprintf("Both secrets must name the same server: make %q equal in both.", key))
}

func errNoRDS(what string) error {
	return rotation.WithHint(fmt.Errorf("this function %s: %w", what, rotation.ErrConfig),
		`Name a secret with "engine", "host", "username" and "password" in "masterarn".`)
}
