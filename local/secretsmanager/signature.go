package secretsmanager

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// skew is how far a signature's time may be from ours:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-authentication-methods.html
const skew = 5 * time.Minute

const signedTimeForm = "20060102T150405Z"

// authenticate checks the request's Signature Version 4, if the server knows its callers' keys. The
// exceptions and texts are those that AWS's front ends give for JSON protocols; the statuses
// too (400, where the API reference's table of common errors says 403 for some).
//
// The canonical request is put together here, not with the SDK's signer: that one leaves out
// User-Agent and decides by itself which headers count, whereas a server must take those that
// the client says it signed.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
func (s *Server) authenticate(r *http.Request, c *caller) error {
	if !s.opt.signed {
		return nil
	}
	header := r.Header.Get("Authorization")
	if header == "" {
		return apiErr("MissingAuthenticationTokenException", "Missing Authentication Token")
	}
	a, err := readAuthorization(header)
	if err != nil {
		return err
	}
	scope := strings.Split(a.credential, "/")
	if len(scope) != 5 || scope[4] != "aws4_request" {
		return incomplete("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '" + printable(a.credential) + "'")
	}
	who, found := s.opt.Callers[scope[0]]
	if !found || who.SecretAccessKey == "" || who.SessionToken != "" && !same(who.SessionToken, r.Header.Get("X-Amz-Security-Token")) {
		return apiErr("UnrecognizedClientException", "The security token included in the request is invalid.")
	}
	if scope[3] != "secretsmanager" {
		return badSignature("Credential should be scoped to correct service: 'secretsmanager'. ")
	}
	at := r.Header.Get("X-Amz-Date")
	if err := fresh(at, time.Now()); err != nil {
		return err
	}
	if !strings.HasPrefix(at, scope[1]) {
		return badSignature("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '" + printable(scope[1]) + "' != '" + at[:8] + "', from '" + at + "'.")
	}
	canonical, err := a.canonical(r, c.body)
	if err != nil {
		return err
	}
	text := "AWS4-HMAC-SHA256\n" + at + "\n" + strings.Join(scope[1:], "/") + "\n" + hexHash([]byte(canonical))
	key := []byte("AWS4" + who.SecretAccessKey)
	for _, part := range scope[1:] {
		key = mac(key, part)
	}
	if !same(hex.EncodeToString(mac(key, text)), a.signature) {
		return badSignature("The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
	}
	return nil
}

// authorization is the header Authorization, taken apart.
type authorization struct {
	credential string
	headers    []string // signed
	signature  string
}

func readAuthorization(header string) (*authorization, error) {
	rest, found := strings.CutPrefix(header, "AWS4-HMAC-SHA256 ")
	if !found {
		return nil, incomplete("Unsupported AWS 'algorithm': '" + printable(strings.Fields(header + " -")[0]) + "'.")
	}
	part := map[string]string{}
	for _, p := range strings.Split(rest, ",") {
		name, v, _ := strings.Cut(strings.TrimSpace(p), "=")
		part[name] = v
	}
	for _, name := range []string{"Credential", "Signature", "SignedHeaders"} {
		if part[name] == "" {
			return nil, incomplete("Authorization header requires '" + name + "' parameter.")
		}
	}
	return &authorization{credential: part["Credential"], headers: strings.Split(part["SignedHeaders"], ";"), signature: part["Signature"]}, nil
}

// canonical is the canonical request. It must cover what decides the meaning of the call.
func (a *authorization) canonical(r *http.Request, body []byte) (string, error) {
	for _, name := range []string{"host", "x-amz-date", "x-amz-target", "x-amz-security-token"} {
		given := name == "host" || r.Header.Get(name) != ""
		if given && !slices.Contains(a.headers, name) {
			return "", badSignature("'" + name + "' must be a 'SignedHeader' in the AWS Authorization.")
		}
	}
	var b strings.Builder
	b.WriteString(r.Method + "\n/\n\n") // the one path there is, and no query
	for _, name := range a.headers {
		b.WriteString(name + ":" + headerValue(r, name) + "\n")
	}
	b.WriteString("\n" + strings.Join(a.headers, ";") + "\n" + hexHash(body))
	return b.String(), nil
}

// headerValue is a header's values, their white space made single, as signers write them. The
// server keeps two headers outside the map.
func headerValue(r *http.Request, name string) string {
	switch name {
	case "host":
		return r.Host
	case "content-length":
		return strconv.FormatInt(r.ContentLength, 10)
	}
	var list []string
	for _, v := range r.Header.Values(name) {
		list = append(list, strings.Join(strings.Fields(v), " "))
	}
	return strings.Join(list, ",")
}

// fresh refuses a signature that is too old, or of the future.
func fresh(at string, now time.Time) error {
	signed, err := time.Parse(signedTimeForm, at)
	if err != nil {
		return incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
	}
	now = now.UTC()
	oldest, newest := now.Add(-skew), now.Add(skew)
	switch {
	case signed.Before(oldest):
		return badSignature("Signature expired: " + at + " is now earlier than " + oldest.Format(signedTimeForm) + " (" + now.Format(signedTimeForm) + " - 5 min.)")
	case signed.After(newest):
		return badSignature("Signature not yet current: " + at + " is still later than " + newest.Format(signedTimeForm) + " (" + now.Format(signedTimeForm) + " + 5 min.)")
	}
	return nil
}

func badSignature(message string) error { return apiErr("InvalidSignatureException", "%s", message) }

func incomplete(message string) error { return apiErr("IncompleteSignatureException", "%s", message) }

// printable cuts what a stranger wrote before it is quoted back.
func printable(s string) string {
	s = strings.ToValidUTF8(s, "?")
	return s[:min(len(s), 128)]
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func hexHash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
