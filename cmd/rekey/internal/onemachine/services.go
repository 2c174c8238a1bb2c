package onemachine

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Service is another service of AWS on the machine, beside Secrets Manager.
type Service struct {
	// API answers the requests that are signed for the service. It checks no signatures:
	// where the machine checks them, that is Secrets Manager's alone.
	API http.Handler
	// Stop, unless it is nil, ends what the service does of its own accord, such as invoking
	// functions. It is called before the functions end; the API still answers afterwards.
	Stop func() error
}

// Services are made when the functions are deployed, before anything is served. Their keys
// are the names that requests are signed for: scheduler, dynamodb, logs. Lambda is always
// there.
type Services map[string]func(*Machine) (Service, error)

func (m *Machine) add(services Services) error {
	m.services = map[string]Service{"lambda": {API: m.Lambda, Stop: m.Lambda.Close}}
	for _, name := range slices.Sorted(maps.Keys(services)) {
		s, err := services[name](m)
		if err != nil {
			return fmt.Errorf("starting the local %s: %w", name, err)
		}
		m.services[name] = s
	}
	return nil
}

func (m *Machine) stopServices() (failed error) {
	for _, s := range m.services {
		if s.Stop != nil {
			failed = errors.Join(failed, s.Stop())
		}
	}
	return failed
}

// ServeHTTP hands a request to the service that it is signed for; to Secrets Manager if that
// is none of the machine's.
func (m *Machine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s, found := m.services[signedFor(r)]; found {
		s.API.ServeHTTP(w, r)
		return
	}
	m.Manager.ServeHTTP(w, r)
}

// signedFor is the service in the scope of a request's Signature Version 4:
//
//	Authorization: AWS4-HMAC-SHA256 Credential=KEY/20260101/us-east-1/scheduler/aws4_request, …
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
func signedFor(r *http.Request) string {
	_, rest, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	credential, _, _ := strings.Cut(rest, ",")
	scope := strings.Split(credential, "/")
	if len(scope) != 5 {
		return ""
	}
	return scope[3]
}
