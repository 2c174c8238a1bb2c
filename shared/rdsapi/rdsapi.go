// Package rdsapi is the [dbuser.RDS] on Amazon RDS: what server a host name
// belongs to, and tokens of IAM database authentication.
package rdsapi

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"

	"github.com/rekey-aws/rekey/shared/awsclient"
	"github.com/rekey-aws/rekey/shared/dbuser"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// API is what the directory calls. *rds.Client has it.
type API interface {
	DescribeDBInstances(context.Context, *rds.DescribeDBInstancesInput, ...func(*rds.Options)) (*rds.DescribeDBInstancesOutput, error)
	DescribeDBClusters(context.Context, *rds.DescribeDBClustersInput, ...func(*rds.Options)) (*rds.DescribeDBClustersOutput, error)
	DescribeDBClusterEndpoints(context.Context, *rds.DescribeDBClusterEndpointsInput, ...func(*rds.Options)) (*rds.DescribeDBClusterEndpointsOutput, error)
	DescribeGlobalClusters(context.Context, *rds.DescribeGlobalClustersInput, ...func(*rds.Options)) (*rds.DescribeGlobalClustersOutput, error)
}

// Directory is a [dbuser.RDS]. It asks for one server by its name, and so needs
// to be allowed no more. It is safe for several goroutines.
type Directory struct {
	api         API
	region      string
	credentials aws.CredentialsProvider
	now         func() time.Time
}

var _ dbuser.RDS = (*Directory)(nil)

// New makes a directory from the function's settings, see [awsclient.Read];
// lookup is os.LookupEnv. Nothing is called before the first use. Errors are
// ErrConfig.
func New(lookup func(string) (string, bool)) (*Directory, error) {
	s, err := awsclient.Read(lookup)
	if err != nil {
		return nil, err
	}
	client := rds.New(rds.Options{
		Region: s.Region, Credentials: s.Credentials, HTTPClient: s.HTTPClient, Retryer: s.Retryer, AppID: awsclient.AppID,
		BaseEndpoint:    s.Endpoint("RDS"),
		EndpointOptions: rds.EndpointResolverOptions{UseFIPSEndpoint: s.FIPS, UseDualStackEndpoint: s.DualStack},
	})
	return &Directory{api: client, region: s.Region, credentials: s.Credentials, now: time.Now}, nil
}

// withinDeadline ends the attempts of one call with its context.
func withinDeadline(ctx context.Context) func(*rds.Options) {
	return func(o *rds.Options) { o.Retryer = awsclient.UntilDeadline(ctx, o.Retryer) }
}

// translate gives an error of the SDK its kind.
//
// https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/CommonErrors.html
func translate(ctx context.Context, operation string, err error) error {
	denied := awsclient.Meaning{Kind: rotation.ErrDenied, Hint: "Allow rds:" + operation + " to the function's role, and check the RDS endpoint's policy and the organisation's. " +
		"Without it the secrets must name the same host in the same words, and the administrator's must not be managed by RDS."}
	unknown := awsclient.Meaning{Kind: rotation.ErrConfig, Hint: otherwhere}
	return awsclient.Errors{
		Codes: map[string]awsclient.Meaning{
			"AccessDenied": denied, "AccessDeniedException": denied,
			"DBInstanceNotFound": unknown, "DBInstanceNotFoundFault": unknown,
			"DBClusterNotFoundFault": unknown, "GlobalClusterNotFoundFault": unknown, "DBClusterEndpointNotFoundFault": unknown,
			"InvalidParameterValue": {Kind: rotation.ErrConfig},
		},
		NoAnswer: "RDS's API did not answer: in a VPC the function needs an interface endpoint for RDS whose security group admits it, with private DNS.",
	}.Translate(ctx, operation, err)
}

const otherwhere = "The server must be in the function's account and Region, and be called by one of the endpoints that RDS gives it. " +
	`For another name of it put an endpoint of RDS into "tlsServerName".`

// endpoint is the host name of an endpoint of RDS, taken apart:
//
//	name.id.region.rds.amazonaws.com                an instance
//	name.cluster-id.region.rds.amazonaws.com        a cluster's writer
//	name.cluster-ro-id.region.rds.amazonaws.com     its readers
//	name.cluster-custom-id.region.rds.amazonaws.com some of its instances
//	name.global-id.global.rds.amazonaws.com         the writer of a global cluster
//	name.id.rds.region.amazonaws.com.cn             in China "rds" comes first
//
// It is only what to ask for: whether there is such an endpoint, RDS tells.
//
// https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.Overview.Endpoints.html
type endpoint struct {
	host   string
	name   string
	kind   kind
	region string
}

type kind string

const (
	instance kind = ""
	writer   kind = "cluster-"
	readers  kind = "cluster-ro-"
	custom   kind = "cluster-custom-"
	global   kind = "global-"
)

func parseEndpoint(host string) (endpoint, error) {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	labels := strings.Split(host, ".")
	if len(labels) > 4 && labels[2] == "rds" {
		labels[2], labels[3] = labels[3], labels[2]
	}
	if len(labels) < 5 || labels[0] == "" || labels[3] != "rds" {
		return endpoint{}, rotation.WithHint(fmt.Errorf("the host %q is not an endpoint of RDS: %w", clip(host), rotation.ErrConfig),
			`Name the server in the same words in both secrets; or, where "host" is another name of it, put its endpoint of RDS into "tlsServerName".`)
	}
	e := endpoint{host: host, name: labels[0], region: labels[2]}
	for _, k := range []kind{readers, custom, writer, global} { // the longer of two beginnings first
		if strings.HasPrefix(labels[1], string(k)) {
			e.kind = k
			break
		}
	}
	return e, nil
}

// mustBe refuses a server of the same name that has another endpoint: the one
// asked for is of another account, Region or time.
func (e endpoint) mustBe(told *string) error {
	if strings.EqualFold(aws.ToString(told), e.host) {
		return nil
	}
	return rotation.WithHint(fmt.Errorf("RDS has a server %q here with the endpoint %q, not %q: %w",
		clip(e.name), clip(aws.ToString(told)), clip(e.host), rotation.ErrConfig), otherwhere)
}

// clip keeps a hostile value from filling the log.
func clip(s string) string {
	if len(s) > 253 {
		s = s[:253] + "…"
	}
	return strings.ToValidUTF8(s, "")
}
