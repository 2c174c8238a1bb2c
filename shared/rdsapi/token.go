package rdsapi

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/rekey-aws/rekey/shared/dbuser"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// emptyPayload is the SHA-256 of nothing.
const emptyPayload = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// Token implements [dbuser.RDS]: the signed URL, without its scheme, of a request
// that nobody sends. It is good for logins in the next 15 minutes, to the host
// whose certificate is verified, as this user; so it must be an endpoint of RDS.
// No call is made. (The SDK's feature/rds/auth does the same, and is a module
// more.)
//
// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.Connecting.html
func (d *Directory) Token(ctx context.Context, l dbuser.Login) (rotation.Value, error) {
	e, err := parseEndpoint(l.ServerName)
	if err != nil {
		return rotation.Value{}, err
	}
	region := e.region
	if e.kind == global {
		region = d.region
	}
	query := url.Values{"Action": {"connect"}, "DBUser": {l.Username}, "X-Amz-Expires": {"900"}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet,
		"https://"+net.JoinHostPort(e.host, strconv.Itoa(l.Port))+"/?"+query.Encode(), http.NoBody)
	if err != nil {
		return rotation.Value{}, fmt.Errorf("the host %q makes no URL: %w", clip(e.host), rotation.ErrConfig)
	}
	credentials, err := d.credentials.Retrieve(ctx)
	if err != nil {
		return rotation.Value{}, translate(ctx, "signing", err)
	}
	signed, _, err := v4.NewSigner().PresignHTTP(ctx, credentials, request, emptyPayload, "rds-db", region, d.now().UTC())
	if err != nil {
		return rotation.Value{}, fmt.Errorf("signing: %w", rotation.ErrInternal)
	}
	return rotation.TextValue(strings.TrimPrefix(signed, "https://")), nil
}
