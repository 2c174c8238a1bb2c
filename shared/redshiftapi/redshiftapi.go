// Package redshiftapi is what AWS tells of Redshift, for the engine and the
// driver: which cluster or namespace a host name belongs to, temporary credentials
// of IAM, and the Data API.
package redshiftapi

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/redshift"
	"github.com/aws/aws-sdk-go-v2/service/redshiftdata"
	"github.com/aws/aws-sdk-go-v2/service/redshiftserverless"

	"github.com/rekey-aws/rekey/shared/awsclient"
	"github.com/rekey-aws/rekey/shared/dbuser"
	driver "github.com/rekey-aws/rekey/shared/redshift"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// Clusters are the calls about provisioned clusters. *redshift.Client has them.
type Clusters interface {
	DescribeClusters(context.Context, *redshift.DescribeClustersInput, ...func(*redshift.Options)) (*redshift.DescribeClustersOutput, error)
	DescribeCustomDomainAssociations(context.Context, *redshift.DescribeCustomDomainAssociationsInput, ...func(*redshift.Options)) (*redshift.DescribeCustomDomainAssociationsOutput, error)
	GetClusterCredentials(context.Context, *redshift.GetClusterCredentialsInput, ...func(*redshift.Options)) (*redshift.GetClusterCredentialsOutput, error)
}

// Serverless are the calls about workgroups and namespaces.
// *redshiftserverless.Client has them.
type Serverless interface {
	GetWorkgroup(context.Context, *redshiftserverless.GetWorkgroupInput, ...func(*redshiftserverless.Options)) (*redshiftserverless.GetWorkgroupOutput, error)
	ListWorkgroups(context.Context, *redshiftserverless.ListWorkgroupsInput, ...func(*redshiftserverless.Options)) (*redshiftserverless.ListWorkgroupsOutput, error)
	GetNamespace(context.Context, *redshiftserverless.GetNamespaceInput, ...func(*redshiftserverless.Options)) (*redshiftserverless.GetNamespaceOutput, error)
	ListNamespaces(context.Context, *redshiftserverless.ListNamespacesInput, ...func(*redshiftserverless.Options)) (*redshiftserverless.ListNamespacesOutput, error)
	ListCustomDomainAssociations(context.Context, *redshiftserverless.ListCustomDomainAssociationsInput, ...func(*redshiftserverless.Options)) (*redshiftserverless.ListCustomDomainAssociationsOutput, error)
	GetCredentials(context.Context, *redshiftserverless.GetCredentialsInput, ...func(*redshiftserverless.Options)) (*redshiftserverless.GetCredentialsOutput, error)
}

// Statements are the calls of the Data API. *redshiftdata.Client has them.
type Statements interface {
	ExecuteStatement(context.Context, *redshiftdata.ExecuteStatementInput, ...func(*redshiftdata.Options)) (*redshiftdata.ExecuteStatementOutput, error)
	DescribeStatement(context.Context, *redshiftdata.DescribeStatementInput, ...func(*redshiftdata.Options)) (*redshiftdata.DescribeStatementOutput, error)
	GetStatementResult(context.Context, *redshiftdata.GetStatementResultInput, ...func(*redshiftdata.Options)) (*redshiftdata.GetStatementResultOutput, error)
	CancelStatement(context.Context, *redshiftdata.CancelStatementInput, ...func(*redshiftdata.Options)) (*redshiftdata.CancelStatementOutput, error)
	ListStatements(context.Context, *redshiftdata.ListStatementsInput, ...func(*redshiftdata.Options)) (*redshiftdata.ListStatementsOutput, error)
}

// Directory is a [dbuser.RDS] and a [driver.DataAPI] for Redshift. Nothing is
// called before it is asked. It is safe for several goroutines.
type Directory struct {
	clusters   Clusters
	serverless Serverless
	statements Statements
	region     string
	now        func() time.Time
	pause      time.Duration // the first, between two looks at a statement
	patience   time.Duration // for cancelling one: out of what the machine keeps back of the deadline

	mu    sync.Mutex
	known map[string]known // by host
}

var (
	_ dbuser.RDS     = (*Directory)(nil)
	_ driver.DataAPI = (*Directory)(nil)
)

// New makes a directory from the function's settings, see [awsclient.Read];
// lookup is os.LookupEnv. Errors are ErrConfig.
func New(lookup func(string) (string, bool)) (*Directory, error) {
	s, err := awsclient.Read(lookup)
	if err != nil {
		return nil, err
	}
	return &Directory{
		region: s.Region, now: time.Now, pause: 50 * time.Millisecond, patience: 200 * time.Millisecond, known: map[string]known{},
		clusters: redshift.New(redshift.Options{
			Region: s.Region, Credentials: s.Credentials, HTTPClient: s.HTTPClient, Retryer: s.Retryer, AppID: awsclient.AppID, BaseEndpoint: s.Endpoint("REDSHIFT"),
			EndpointOptions: redshift.EndpointResolverOptions{UseFIPSEndpoint: s.FIPS, UseDualStackEndpoint: s.DualStack},
		}),
		serverless: redshiftserverless.New(redshiftserverless.Options{
			Region: s.Region, Credentials: s.Credentials, HTTPClient: s.HTTPClient, Retryer: s.Retryer, AppID: awsclient.AppID, BaseEndpoint: s.Endpoint("REDSHIFT_SERVERLESS"),
			EndpointOptions: redshiftserverless.EndpointResolverOptions{UseFIPSEndpoint: s.FIPS, UseDualStackEndpoint: s.DualStack},
		}),
		statements: redshiftdata.New(redshiftdata.Options{
			Region: s.Region, Credentials: s.Credentials, HTTPClient: s.HTTPClient, Retryer: s.Retryer, AppID: awsclient.AppID, BaseEndpoint: s.Endpoint("REDSHIFT_DATA"),
			EndpointOptions: redshiftdata.EndpointResolverOptions{UseFIPSEndpoint: s.FIPS, UseDualStackEndpoint: s.DualStack},
		}),
	}, nil
}

const elsewhere = "The cluster or workgroup must be in the function's account and Region, and be called by the endpoint that Redshift gives it, or by its custom domain name. " +
	`For another name of it put its endpoint into "tlsServerName".`

// translate gives an error of the SDK its kind. service is as IAM has it.
//
// https://docs.aws.amazon.com/redshift/latest/APIReference/CommonErrors.html
// https://docs.aws.amazon.com/redshift-data/latest/APIReference/CommonErrors.html
func translate(ctx context.Context, service, operation string, err error) error {
	denied := awsclient.Meaning{Kind: rotation.ErrDenied, Hint: "Allow " + service + ":" + operation + " to the function's role, and check the endpoint's policy and the organisation's."}
	unknown := awsclient.Meaning{Kind: rotation.ErrConfig, Hint: elsewhere}
	busy := awsclient.Meaning{Kind: rotation.ErrThrottled, Hint: "Spread rotations out: the Data API runs a limited number of statements of an account at once."}
	return awsclient.Errors{
		Codes: map[string]awsclient.Meaning{
			"AccessDenied": denied, "AccessDeniedException": denied, "UnauthorizedOperation": denied,
			"ClusterNotFound": unknown, "ClusterNotFoundFault": unknown, "ResourceNotFoundException": unknown,
			"CustomDomainAssociationNotFoundFault": unknown,
			"InvalidParameterValue":                {Kind: rotation.ErrConfig},
			"ActiveStatementsExceededException":    busy, "ActiveSessionsExceededException": busy,
			"DatabaseConnectionException": {Kind: rotation.ErrUnreachable, Hint: "Check that the cluster is available: not paused, resizing or being patched."},
			"QueryTimeoutException":       {Kind: rotation.ErrUnreachable},
		},
		NoAnswer: "The API did not answer: in a VPC without a route to the internet the function needs an interface endpoint for " + service + ", with private DNS, whose security group admits it.",
	}.Translate(ctx, operation, err)
}

// clip keeps a hostile value from filling the log.
func clip(s string) string {
	if len(s) > 253 {
		s = s[:253] + "…"
	}
	return strings.ToValidUTF8(s, "")
}
