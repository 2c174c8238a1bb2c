package iam

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// The wire protocol is AWS Query:
// https://smithy.io/2.0/aws/protocols/aws-query-protocol.html

// query is one call, taken apart.
type query struct {
	request                 *http.Request
	body                    []byte
	form                    url.Values
	service, action, caller string
	version, region         string
	headers                 []string // signed
}

const maxBody = 64 << 10

func read(r *http.Request) (*query, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return nil, invalid("MalformedQueryString", "The request could not be read to its end.")
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || r.Method != http.MethodPost || r.URL.Path != "/" {
		return nil, invalid("MalformedQueryString", "IAM and STS are called with POST / and a form.")
	}
	q := &query{request: r, body: body, form: form, action: form.Get("Action"), version: form.Get("Version")}
	// AWS4-HMAC-SHA256 Credential=KEY/20260101/us-east-1/sts/aws4_request, SignedHeaders=…, Signature=…
	fields := map[string]string{}
	for part := range strings.SplitSeq(strings.TrimPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 "), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		fields[name] = value
	}
	scope := strings.Split(fields["Credential"], "/")
	if len(scope) != 5 {
		return nil, &apiError{http.StatusForbidden, "MissingAuthenticationToken", "Request is missing Authentication Token"}
	}
	q.caller, q.region, q.service = scope[0], scope[2], scope[3]
	q.headers = strings.Split(fields["SignedHeaders"], ";")
	want := map[string]string{"iam": "2010-05-08", "sts": "2011-06-15"}[q.service]
	if q.version != want {
		return nil, invalid("InvalidAction", "Could not find operation %.64s for version %.16s", q.action, q.version)
	}
	return q, nil
}

// signedWith signs the request again, and compares.
func (q *query) signedWith(secret string) error {
	wrong := &apiError{http.StatusForbidden, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method."}
	at, err := time.Parse("20060102T150405Z", q.request.Header.Get("X-Amz-Date"))
	if err != nil {
		return wrong
	}
	again, err := http.NewRequestWithContext(context.Background(), q.request.Method, "http://"+q.request.Host+"/", bytes.NewReader(q.body)) //nolint:gosec // G704: it is signed, and not sent
	if err != nil {
		return wrong
	}
	for _, name := range q.headers {
		if name != "host" && name != "content-length" && name != "x-amz-date" && name != "x-amz-security-token" {
			again.Header[http.CanonicalHeaderKey(name)] = q.request.Header.Values(name)
		}
	}
	if !slices.Contains(q.headers, "content-length") {
		again.ContentLength = 0 // else the signer would sign it
	}
	sum := sha256.Sum256(q.body)
	credentials := aws.Credentials{AccessKeyID: q.caller, SecretAccessKey: secret, SessionToken: q.request.Header.Get("X-Amz-Security-Token")}
	if err := v4.NewSigner().SignHTTP(context.Background(), credentials, again, hex.EncodeToString(sum[:]), q.service, q.region, at); err != nil {
		return wrong
	}
	if subtle.ConstantTimeCompare([]byte(again.Header.Get("Authorization")), []byte(q.request.Header.Get("Authorization"))) != 1 {
		return wrong
	}
	return nil
}

type errorDocument struct {
	XMLName   xml.Name    `xml:"ErrorResponse"`
	Error     errorDetail `xml:"Error"`
	RequestID string      `xml:"RequestId"`
}

type errorDetail struct{ Type, Code, Message string }

// answer wraps a result as <ActionResponse><ActionResult>…</…>.
func answer(w http.ResponseWriter, q *query, out any) {
	var result bytes.Buffer
	if out != nil {
		name := xml.StartElement{Name: xml.Name{Local: q.action + "Result"}}
		if err := xml.NewEncoder(&result).EncodeElement(out, name); err != nil {
			panic(err) // everything that is answered can be encoded
		}
	}
	body := "<" + q.action + "Response>" + result.String() + "<ResponseMetadata><RequestId>local</RequestId></ResponseMetadata></" + q.action + "Response>"
	w.Header().Set("Content-Type", "text/xml")
	_, _ = io.WriteString(w, body) //nolint:gosec // G705: XML, as its Content-Type says
}

func send(w http.ResponseWriter, status int, document any) {
	body, err := xml.Marshal(document)
	if err != nil {
		panic(err) // everything that is answered can be encoded
	}
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
