package awsclient

import (
	"bytes"
	"fmt"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// whole sends a request in one piece. The SDK's bodies are wrapped in a way that net/http does
// not know to be in memory: it sends the header first, then the body, and then reads once more
// to see that no more follows. If the answer is there before that, because the server is near
// or this process was not given the processor for a while, the SDK has closed the body, the
// last read fails, and with it a good connection: the next call begins with a new one, and TLS.
//
// https://go.dev/src/net/http/transfer.go (isKnownInMemoryReader, writeBody)
type whole struct{ aws.HTTPClient }

// Do implements [aws.HTTPClient].
func (w whole) Do(r *http.Request) (*http.Response, error) {
	if r.Body == nil || r.ContentLength <= 0 {
		return w.HTTPClient.Do(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, fmt.Errorf("reading the request's body: %w", err)
	}
	again := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	sent := r.WithContext(r.Context()) // a copy: a client does not change its caller's request
	sent.Body, _ = again()
	sent.GetBody = again
	return w.HTTPClient.Do(sent)
}
