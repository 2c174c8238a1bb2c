package declarative

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/rekey-aws/rekey/shared/rotation"
)

type oauth struct {
	tokenURL, clientID, clientSecret, scope template
	inBody, json                            bool
	jwt                                     *jwt
	parameters                              map[string]template
}

type awsAuth struct {
	service, region, id, secret, token template
}

func (c *compiler) auth(in place, at string, a Auth) *auth {
	ways := 0
	for _, there := range []bool{a.Bearer != "", a.Basic != nil, a.Headers != nil, a.OAuth != nil, a.JWT != nil, a.AWS != nil, a.None} {
		if there {
			ways++
		}
	}
	if ways != 1 {
		c.add(at, "needs exactly one of bearer, basic, headers, oauth, jwt, aws and none")
	}
	out := &auth{}
	switch {
	case a.Bearer != "":
		t := c.template(in, at+".bearer", a.Bearer)
		out.bearer = &t
	case a.Basic != nil:
		out.basic = &[2]template{c.template(in, at+".basic.user", a.Basic.User), c.template(in, at+".basic.password", a.Basic.Password)}
	case a.Headers != nil:
		out.headers = c.templates(in, at+".headers", a.Headers)
	case a.JWT != nil:
		out.jwt = c.jwt(in, at+".jwt", *a.JWT)
	case a.OAuth != nil:
		out.oauth = c.oauth(in, at+".oauth", *a.OAuth)
	case a.AWS != nil:
		at += ".aws"
		out.aws = &awsAuth{
			service: c.template(in, at+".service", a.AWS.Service), region: c.template(in, at+".region", a.AWS.Region),
			id: c.template(in, at+".accessKeyId", a.AWS.AccessKeyID), secret: c.template(in, at+".secretAccessKey", a.AWS.SecretAccessKey),
			token: c.template(in, at+".sessionToken", a.AWS.SessionToken),
		}
	}
	return out
}

func (c *compiler) oauth(in place, at string, o OAuth) *oauth {
	out := &oauth{
		tokenURL: c.template(in, at+".tokenUrl", o.TokenURL), clientID: c.template(in, at+".clientId", o.ClientID),
		clientSecret: c.template(in, at+".clientSecret", o.ClientSecret), scope: c.template(in, at+".scope", o.Scope),
		inBody: o.In == "body", json: o.JSON, parameters: c.templates(in, at+".parameters", o.Parameters),
	}
	c.decidesHost(at+".tokenUrl", out.tokenURL)
	if (o.JWT == nil) == (o.ClientID == "") {
		c.add(at, `needs "clientId" or "jwt", and not both`)
	}
	if o.JWT != nil {
		out.jwt = c.jwt(in, at+".jwt", *o.JWT)
	}
	return out
}

// authenticate adds the credential to a request.
func (s *session) authenticate(ctx context.Context, a *auth, r *http.Request, body []byte) error {
	switch {
	case a.bearer != nil:
		token, err := s.fill(ctx, *a.bearer)
		return s.bearer(r, token, err)
	case a.basic != nil:
		user, err := s.fill(ctx, a.basic[0])
		if err != nil {
			return err
		}
		password, err := s.fill(ctx, a.basic[1])
		if err != nil {
			return err
		}
		r.SetBasicAuth(user, password)
		s.hide.Hide(strings.TrimPrefix(r.Header.Get("Authorization"), "Basic "))
	case a.headers != nil:
		for name, t := range a.headers {
			v, err := s.fill(ctx, t)
			if err != nil {
				return err
			}
			if err := setHeader(r, name, v); err != nil {
				return err
			}
		}
	case a.jwt != nil:
		token, err := s.sign(ctx, a.jwt)
		return s.bearer(r, token, err)
	case a.oauth != nil:
		token, err := s.accessToken(ctx, a.oauth)
		return s.bearer(r, token, err)
	case a.aws != nil:
		return s.signV4(ctx, a.aws, r, body)
	}
	return nil
}

func (s *session) bearer(r *http.Request, token string, err error) error {
	if err != nil {
		return err
	}
	s.hide.Hide(token)
	return setHeader(r, "Authorization", "Bearer "+token)
}

// setHeader refuses what would end a header's line: the transport's own error
// quotes the value.
func setHeader(r *http.Request, name, value string) error {
	if strings.ContainsFunc(value, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
		return rotation.WithHint(fmt.Errorf("filling in the header %s: the value holds a control character: %w", name, rotation.ErrConfig),
			"Store the credential without line ends around it.")
	}
	r.Header.Set(name, value)
	return nil
}

// accessToken gets a token, or the one that was got before in this step.
//
// https://www.rfc-editor.org/rfc/rfc6749#section-4.4
// https://www.rfc-editor.org/rfc/rfc7523#section-2.1
func (s *session) accessToken(ctx context.Context, o *oauth) (string, error) {
	address, err := s.address(ctx, o.tokenURL)
	if err != nil {
		return "", err
	}
	parameters, basic, err := s.grant(ctx, o)
	if err != nil {
		return "", err
	}
	key := tokenKey(address, parameters, basic)
	if token, ok := s.tokens[key]; ok {
		return token, nil
	}
	body, contentType, err := encodeParameters(parameters, o.json)
	if err != nil {
		return "", err
	}
	build := func(ctx context.Context) (*http.Request, []byte, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
		if err != nil {
			return nil, nil, errAddress
		}
		r.Header.Set("Content-Type", contentType)
		r.Header.Set("Accept", "application/json")
		if basic != nil {
			// RFC 6749 §2.3.1: both are form-encoded first.
			r.SetBasicAuth(url.QueryEscape(basic[0]), url.QueryEscape(basic[1]))
		}
		return r, body, nil
	}
	answer, err := s.exchange(ctx, deed{about: "getting an access token", repeatable: true, request: grants()}, build)
	if err != nil {
		return "", err
	}
	token, _ := field(answer.body, "access_token").(string)
	if token == "" {
		return "", fmt.Errorf("getting an access token: the answer has no access_token: %w", rotation.ErrVendor)
	}
	s.hide.Hide(token)
	s.tokens[key] = token
	return token, nil
}

// grants is the meaning of a token endpoint's failures: that the credential is not
// accepted comes as 400 too.
//
// https://www.rfc-editor.org/rfc/rfc6749#section-5.2
var grants = sync.OnceValue(func() *request {
	refused, err := compile(`.error | IN("invalid_grant", "invalid_client", "access_denied")`)
	if err != nil {
		panic(err)
	}
	return &request{errors: []errorRule{{status: []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden}, when: &refused, means: "refused"}}}
})

// grant is what is sent to the token endpoint.
func (s *session) grant(ctx context.Context, o *oauth) (map[string]string, *[2]string, error) {
	parameters, err := s.fillAll(ctx, o.parameters)
	if err != nil {
		return nil, nil, err
	}
	if scope, err := s.fill(ctx, o.scope); err != nil {
		return nil, nil, err
	} else if scope != "" {
		parameters["scope"] = scope
	}
	if o.jwt != nil {
		assertion, err := s.sign(ctx, o.jwt)
		if err != nil {
			return nil, nil, err
		}
		s.hide.Hide(assertion)
		parameters["grant_type"], parameters["assertion"] = "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion
		return parameters, nil, nil
	}
	id, err := s.fill(ctx, o.clientID)
	if err != nil {
		return nil, nil, err
	}
	secret, err := s.fill(ctx, o.clientSecret)
	if err != nil {
		return nil, nil, err
	}
	s.hide.Hide(secret)
	if _, own := parameters["grant_type"]; !own {
		parameters["grant_type"] = "client_credentials"
	}
	if !o.inBody {
		return parameters, &[2]string{id, secret}, nil
	}
	parameters["client_id"], parameters["client_secret"] = id, secret
	return parameters, nil, nil
}

// tokenKey tells grants apart. Assertions differ each time, and need not match.
func tokenKey(address string, parameters map[string]string, basic *[2]string) string {
	h := sha256.New()
	_ = json.NewEncoder(h).Encode([]any{address, parameters, basic}) // a hash takes everything
	return hex.EncodeToString(h.Sum(nil))
}

func encodeParameters(parameters map[string]string, asJSON bool) (body []byte, contentType string, err error) {
	if asJSON {
		body, err = json.Marshal(parameters)
		return body, "application/json", err
	}
	form := url.Values{}
	for name, v := range parameters {
		form.Set(name, v)
	}
	return []byte(form.Encode()), "application/x-www-form-urlencoded", nil
}

// signV4 signs for AWS, and for vendors that sign alike.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
func (s *session) signV4(ctx context.Context, a *awsAuth, r *http.Request, body []byte) error {
	var values [5]string
	for i, t := range []template{a.service, a.region, a.id, a.secret, a.token} {
		v, err := s.fill(ctx, t)
		if err != nil {
			return err
		}
		values[i] = v
	}
	s.hide.Hide(values[3], values[4])
	sum := sha256.Sum256(body)
	credentials := aws.Credentials{AccessKeyID: values[2], SecretAccessKey: values[3], SessionToken: values[4]}
	if err := v4.NewSigner().SignHTTP(ctx, credentials, r, hex.EncodeToString(sum[:]), values[0], values[1], s.now().UTC()); err != nil {
		return fmt.Errorf("signing the request: it cannot be signed: %w", rotation.ErrConfig)
	}
	return nil
}

// now is the clock's time.
func (s *session) now() time.Time { return s.provider.config.Now() }
