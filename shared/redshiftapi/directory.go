package redshiftapi

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/redshift"
	"github.com/aws/aws-sdk-go-v2/service/redshift/types"
	"github.com/aws/aws-sdk-go-v2/service/redshiftserverless"
	serverless "github.com/aws/aws-sdk-go-v2/service/redshiftserverless/types"

	"github.com/rekey-aws/rekey/shared/awsclient"
	"github.com/rekey-aws/rekey/shared/dbuser"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// warehouse is a cluster or a workgroup: what has an endpoint. Users belong to
// its namespace.
type warehouse struct {
	cluster   string // or
	workgroup string
	server    dbuser.Server
}

// known is what was found out of a host, and when.
type known struct {
	warehouse warehouse
	at        time.Time
}

// remembered is for how long: a rotation makes dozens of calls of the Data API,
// and an endpoint moves to another cluster seldom.
const remembered = time.Minute

// Behind implements [dbuser.RDS].
func (d *Directory) Behind(ctx context.Context, host string) (dbuser.Server, error) {
	w, err := d.warehouse(ctx, host)
	return w.server, err
}

// warehouse finds what has a host name for its endpoint.
func (d *Directory) warehouse(ctx context.Context, host string) (warehouse, error) {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	d.mu.Lock()
	k, ok := d.known[host]
	d.mu.Unlock()
	if ok && d.now().Sub(k.at) < remembered {
		return k.warehouse, nil
	}
	w, err := d.find(ctx, host)
	if err != nil {
		return warehouse{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.known[host] = known{w, d.now()}
	return w, nil
}

// find reads a host name:
//
//	name.id.region.redshift.amazonaws.com                  a cluster; Multi-AZ has one endpoint too
//	name.account.region.redshift-serverless.amazonaws.com  a workgroup
//	anything else                                          a custom domain name, perhaps
//
// It is only what to ask for: whether there is such an endpoint, Redshift tells.
//
// https://docs.aws.amazon.com/redshift/latest/mgmt/connecting-connection-cname.html
func (d *Directory) find(ctx context.Context, host string) (warehouse, error) {
	labels := strings.Split(host, ".")
	if len(labels) < 6 || labels[4] != "amazonaws" || labels[3] != "redshift" && labels[3] != "redshift-serverless" {
		return d.behindCustomDomain(ctx, host)
	}
	if labels[2] != d.region {
		return warehouse{}, rotation.WithHint(fmt.Errorf("the host %q is of the Region %s, and the function runs in %s: %w", clip(host), clip(labels[2]), d.region, rotation.ErrConfig), elsewhere)
	}
	var (
		w   warehouse
		err error
	)
	if labels[3] == "redshift" {
		w, err = d.cluster(ctx, labels[0])
	} else {
		w, err = d.workgroup(ctx, labels[0])
	}
	if err != nil {
		return warehouse{}, err
	}
	if !strings.EqualFold(w.server.Host, host) {
		return warehouse{}, rotation.WithHint(fmt.Errorf("there is %q here with the endpoint %q, not %q: %w", clip(labels[0]), clip(w.server.Host), clip(host), rotation.ErrConfig), elsewhere)
	}
	return w, nil
}

// behindCustomDomain is the cluster or workgroup of a custom domain name.
//
// https://docs.aws.amazon.com/redshift/latest/mgmt/connecting-connection-CNAME.html
func (d *Directory) behindCustomDomain(ctx context.Context, host string) (warehouse, error) {
	const operation = "DescribeCustomDomainAssociations"
	for marker := (*string)(nil); ; {
		out, err := d.clusters.DescribeCustomDomainAssociations(ctx, &redshift.DescribeCustomDomainAssociationsInput{CustomDomainName: &host, Marker: marker}, untilDeadline(ctx))
		if err != nil {
			if err = translate(ctx, "redshift", operation, err); errors.Is(err, rotation.ErrConfig) {
				break // there is none
			}
			return warehouse{}, err
		}
		for _, a := range out.Associations {
			for _, c := range a.CertificateAssociations {
				if strings.EqualFold(aws.ToString(c.CustomDomainName), host) {
					return d.cluster(ctx, aws.ToString(c.ClusterIdentifier))
				}
			}
		}
		if marker = out.Marker; aws.ToString(marker) == "" {
			break
		}
	}
	for token := (*string)(nil); ; {
		out, err := d.serverless.ListCustomDomainAssociations(ctx, &redshiftserverless.ListCustomDomainAssociationsInput{CustomDomainName: &host, NextToken: token}, untilDeadlineServerless(ctx))
		if err != nil {
			return warehouse{}, translate(ctx, "redshift-serverless", "ListCustomDomainAssociations", err)
		}
		for _, a := range out.Associations {
			if strings.EqualFold(aws.ToString(a.CustomDomainName), host) {
				return d.workgroup(ctx, aws.ToString(a.WorkgroupName))
			}
		}
		if token = out.NextToken; aws.ToString(token) == "" {
			return warehouse{}, rotation.WithHint(fmt.Errorf("the host %q is neither an endpoint of Redshift nor a custom domain name of one here: %w", clip(host), rotation.ErrConfig), elsewhere)
		}
	}
}

// cluster asks for one cluster. Its ARN is its namespace's: whoever restores a
// cluster under an old name has another.
func (d *Directory) cluster(ctx context.Context, name string) (warehouse, error) {
	const operation = "DescribeClusters"
	for marker := (*string)(nil); ; {
		out, err := d.clusters.DescribeClusters(ctx, &redshift.DescribeClustersInput{ClusterIdentifier: &name, Marker: marker}, untilDeadline(ctx))
		if err != nil {
			return warehouse{}, translate(ctx, "redshift", operation, err)
		}
		for _, c := range out.Clusters {
			if strings.EqualFold(aws.ToString(c.ClusterIdentifier), name) {
				return clusterOf(c), nil
			}
		}
		if marker = out.Marker; aws.ToString(marker) == "" {
			return warehouse{}, rotation.WithHint(fmt.Errorf("%s: looking for %q: there is none: %w", operation, clip(name), rotation.ErrConfig), elsewhere)
		}
	}
}

func clusterOf(c types.Cluster) warehouse {
	w := warehouse{cluster: aws.ToString(c.ClusterIdentifier), server: dbuser.Server{ARN: aws.ToString(c.ClusterNamespaceArn), Engine: engine}}
	if c.Endpoint != nil { // there is none while the cluster is made or paused
		w.server.Host, w.server.Port = aws.ToString(c.Endpoint.Address), int(aws.ToInt32(c.Endpoint.Port))
	}
	return w
}

const engine = "redshift"

// workgroup asks for one workgroup, and for the namespace that its users are of.
func (d *Directory) workgroup(ctx context.Context, name string) (warehouse, error) {
	out, err := d.serverless.GetWorkgroup(ctx, &redshiftserverless.GetWorkgroupInput{WorkgroupName: &name}, untilDeadlineServerless(ctx))
	if err != nil {
		return warehouse{}, translate(ctx, "redshift-serverless", "GetWorkgroup", err)
	}
	namespace, err := d.serverless.GetNamespace(ctx, &redshiftserverless.GetNamespaceInput{NamespaceName: out.Workgroup.NamespaceName}, untilDeadlineServerless(ctx))
	if err != nil {
		return warehouse{}, translate(ctx, "redshift-serverless", "GetNamespace", err)
	}
	return workgroupOf(*out.Workgroup, aws.ToString(namespace.Namespace.NamespaceArn)), nil
}

func workgroupOf(g serverless.Workgroup, namespace string) warehouse {
	w := warehouse{workgroup: aws.ToString(g.WorkgroupName), server: dbuser.Server{ARN: namespace, Engine: engine}}
	if g.Endpoint != nil {
		w.server.Host, w.server.Port = aws.ToString(g.Endpoint.Address), int(aws.ToInt32(g.Endpoint.Port))
	}
	return w
}

// Server implements [dbuser.RDS], for the ARNs in the tags of secrets that
// Redshift manages: of a cluster, or of a namespace.
//
// https://docs.aws.amazon.com/redshift/latest/mgmt/redshift-secrets-manager-integration.html
func (d *Directory) Server(ctx context.Context, arn string) (dbuser.Server, error) {
	if _, name, ok := strings.Cut(arn, ":cluster:"); ok {
		w, err := d.cluster(ctx, name)
		return w.server, err
	}
	namespace, err := d.namespace(ctx, arn)
	if err != nil {
		return dbuser.Server{}, err
	}
	for token := (*string)(nil); ; {
		out, err := d.serverless.ListWorkgroups(ctx, &redshiftserverless.ListWorkgroupsInput{NextToken: token}, untilDeadlineServerless(ctx))
		if err != nil {
			return dbuser.Server{}, translate(ctx, "redshift-serverless", "ListWorkgroups", err)
		}
		for _, g := range out.Workgroups {
			if aws.ToString(g.NamespaceName) == aws.ToString(namespace.NamespaceName) {
				return workgroupOf(g, arn).server, nil
			}
		}
		if token = out.NextToken; aws.ToString(token) == "" {
			return dbuser.Server{ARN: arn, Engine: engine}, nil // without a workgroup it has no endpoint
		}
	}
}

// namespace looks for a namespace by its ARN, which has its id; Redshift finds
// one by its name.
func (d *Directory) namespace(ctx context.Context, arn string) (serverless.Namespace, error) {
	const operation = "ListNamespaces"
	for token := (*string)(nil); ; {
		out, err := d.serverless.ListNamespaces(ctx, &redshiftserverless.ListNamespacesInput{NextToken: token}, untilDeadlineServerless(ctx))
		if err != nil {
			return serverless.Namespace{}, translate(ctx, "redshift-serverless", operation, err)
		}
		for _, n := range out.Namespaces {
			if strings.EqualFold(aws.ToString(n.NamespaceArn), arn) {
				return n, nil
			}
		}
		if token = out.NextToken; aws.ToString(token) == "" {
			return serverless.Namespace{}, rotation.WithHint(fmt.Errorf("%s: looking for %q: there is none: %w", operation, clip(arn), rotation.ErrConfig), elsewhere)
		}
	}
}

// Token implements [dbuser.RDS]: the password of temporary credentials, good for
// 15 minutes, in any database. No user is made.
//
// https://docs.aws.amazon.com/redshift/latest/APIReference/API_GetClusterCredentials.html
// https://docs.aws.amazon.com/redshift-serverless/latest/APIReference/API_GetCredentials.html
func (d *Directory) Token(ctx context.Context, l dbuser.Login) (rotation.Value, error) {
	w, err := d.warehouse(ctx, l.ServerName)
	if err != nil {
		return rotation.Value{}, err
	}
	if w.cluster != "" {
		out, err := d.clusters.GetClusterCredentials(ctx, &redshift.GetClusterCredentialsInput{
			ClusterIdentifier: &w.cluster, DbUser: &l.Username, AutoCreate: aws.Bool(false),
		}, untilDeadline(ctx))
		if err != nil {
			return rotation.Value{}, translate(ctx, "redshift", "GetClusterCredentials", err)
		}
		return rotation.TextValue(aws.ToString(out.DbPassword)), nil
	}
	out, err := d.serverless.GetCredentials(ctx, &redshiftserverless.GetCredentialsInput{WorkgroupName: &w.workgroup}, untilDeadlineServerless(ctx))
	if err != nil {
		return rotation.Value{}, translate(ctx, "redshift-serverless", "GetCredentials", err)
	}
	if got := aws.ToString(out.DbUser); got != l.Username {
		return rotation.Value{}, rotation.WithHint(fmt.Errorf("GetCredentials: a serverless workgroup lets the function's role in as %q and not as %q: %w", clip(got), clip(l.Username), rotation.ErrConfig),
			fmt.Sprintf(`Put %q into "adminUser", and make that user a superuser.`, clip(got)))
	}
	return rotation.TextValue(aws.ToString(out.DbPassword)), nil
}

// untilDeadline ends the attempts of one call with its context.
func untilDeadline(ctx context.Context) func(*redshift.Options) {
	return func(o *redshift.Options) { o.Retryer = awsclient.UntilDeadline(ctx, o.Retryer) }
}

func untilDeadlineServerless(ctx context.Context) func(*redshiftserverless.Options) {
	return func(o *redshiftserverless.Options) { o.Retryer = awsclient.UntilDeadline(ctx, o.Retryer) }
}
