package rdsapi

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"

	"github.com/rekey-aws/rekey/shared/dbuser"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// Server implements [dbuser.RDS].
func (d *Directory) Server(ctx context.Context, arn string) (dbuser.Server, error) {
	if strings.Contains(arn, ":cluster:") {
		c, err := d.cluster(ctx, arn)
		return serverOf(c), err
	}
	i, err := d.instance(ctx, arn)
	if err != nil {
		return dbuser.Server{}, err
	}
	return d.behind(ctx, i)
}

// Behind implements [dbuser.RDS].
func (d *Directory) Behind(ctx context.Context, host string) (dbuser.Server, error) {
	e, err := parseEndpoint(host)
	if err != nil {
		return dbuser.Server{}, err
	}
	switch e.kind {
	case global:
		return d.behindGlobal(ctx, e)
	case custom:
		return d.behindCustom(ctx, e)
	case writer, readers:
		c, err := d.cluster(ctx, e.name)
		if err != nil {
			return dbuser.Server{}, err
		}
		s := serverOf(c)
		if e.kind == readers {
			s.ReadOnly = true
			return s, e.mustBe(c.ReaderEndpoint)
		}
		return s, e.mustBe(c.Endpoint)
	}
	i, err := d.instance(ctx, e.name)
	if err != nil {
		return dbuser.Server{}, err
	}
	if i.Endpoint == nil {
		return dbuser.Server{}, e.mustBe(nil)
	}
	if err := e.mustBe(i.Endpoint.Address); err != nil {
		return dbuser.Server{}, err
	}
	return d.behind(ctx, i)
}

// behind is the server that an instance is, or is a part or a replica of.
func (d *Directory) behind(ctx context.Context, i types.DBInstance) (dbuser.Server, error) {
	if of := aws.ToString(i.DBClusterIdentifier); of != "" {
		c, err := d.cluster(ctx, of)
		s := serverOf(c)
		s.ReadOnly = s.ReadOnly || !slices.Contains(writersOf(c), aws.ToString(i.DBInstanceIdentifier))
		return s, err
	}
	if of := aws.ToString(i.ReadReplicaSourceDBClusterIdentifier); of != "" {
		c, err := d.cluster(ctx, of)
		s := serverOf(c)
		s.ReadOnly = true
		return s, err
	}
	of := aws.ToString(i.ReadReplicaSourceDBInstanceIdentifier)
	switch {
	case strings.HasPrefix(of, "arn:"): // of another Region
		return dbuser.Server{ARN: of, Engine: aws.ToString(i.Engine), ReadOnly: true}, nil
	case of != "":
		source, err := d.instance(ctx, of)
		if err != nil {
			return dbuser.Server{}, err
		}
		s, err := d.behind(ctx, source) // itself a replica, perhaps; RDS allows few of them in a row
		s.ReadOnly = true
		return s, err
	}
	s := dbuser.Server{ARN: aws.ToString(i.DBInstanceArn), Engine: aws.ToString(i.Engine)}
	if i.Endpoint != nil { // there is none while the instance is made
		s.Host, s.Port = aws.ToString(i.Endpoint.Address), int(aws.ToInt32(i.Endpoint.Port))
	}
	return s, nil
}

// serverOf is a cluster as a server.
func serverOf(c types.DBCluster) dbuser.Server {
	s := dbuser.Server{
		ARN: aws.ToString(c.DBClusterArn), Engine: aws.ToString(c.Engine),
		Host: aws.ToString(c.Endpoint), Port: int(aws.ToInt32(c.Port)),
	}
	if source := aws.ToString(c.ReplicationSourceIdentifier); source != "" {
		s.ARN = source
	}
	if len(c.DBClusterMembers) > 0 && len(writersOf(c)) == 0 || s.ARN != aws.ToString(c.DBClusterArn) {
		// A replica, or a secondary of a global cluster: the endpoint that writes
		// is another cluster's.
		s.Host, s.ReadOnly = "", true
	}
	return s
}

func writersOf(c types.DBCluster) (names []string) {
	for _, m := range c.DBClusterMembers {
		if aws.ToBool(m.IsClusterWriter) {
			names = append(names, aws.ToString(m.DBInstanceIdentifier))
		}
	}
	return names
}

// behindCustom is the cluster of a custom endpoint. One that leads to readers
// beside the writer counts as the writer's: a login or two may find the reader.
func (d *Directory) behindCustom(ctx context.Context, e endpoint) (dbuser.Server, error) {
	const operation = "DescribeDBClusterEndpoints"
	found, err := each(func(marker *string) ([]types.DBClusterEndpoint, *string, error) {
		out, err := d.api.DescribeDBClusterEndpoints(ctx, &rds.DescribeDBClusterEndpointsInput{DBClusterEndpointIdentifier: &e.name, Marker: marker}, withinDeadline(ctx))
		if err != nil {
			return nil, nil, translate(ctx, operation, err)
		}
		return out.DBClusterEndpoints, out.Marker, nil
	}, func(t types.DBClusterEndpoint) bool { return strings.EqualFold(aws.ToString(t.Endpoint), e.host) })
	if err != nil {
		return dbuser.Server{}, absent(operation, e.host, err)
	}
	c, err := d.cluster(ctx, aws.ToString(found.DBClusterIdentifier))
	s := serverOf(c)
	for _, w := range writersOf(c) {
		left := slices.Contains(found.ExcludedMembers, w) || len(found.StaticMembers) > 0 && !slices.Contains(found.StaticMembers, w)
		s.ReadOnly = s.ReadOnly || left
	}
	s.ReadOnly = s.ReadOnly || strings.EqualFold(aws.ToString(found.CustomEndpointType), "READER")
	return s, err
}

// behindGlobal is the cluster that writes for a global one. It must be of this
// Region for RDS to know it.
func (d *Directory) behindGlobal(ctx context.Context, e endpoint) (dbuser.Server, error) {
	const operation = "DescribeGlobalClusters"
	found, err := each(func(marker *string) ([]types.GlobalCluster, *string, error) {
		out, err := d.api.DescribeGlobalClusters(ctx, &rds.DescribeGlobalClustersInput{GlobalClusterIdentifier: &e.name, Marker: marker}, withinDeadline(ctx))
		if err != nil {
			return nil, nil, translate(ctx, operation, err)
		}
		return out.GlobalClusters, out.Marker, nil
	}, func(g types.GlobalCluster) bool { return strings.EqualFold(aws.ToString(g.Endpoint), e.host) })
	if err != nil {
		return dbuser.Server{}, absent(operation, e.host, err)
	}
	for _, m := range found.GlobalClusterMembers {
		if aws.ToBool(m.IsWriter) {
			c, err := d.cluster(ctx, aws.ToString(m.DBClusterArn))
			return serverOf(c), err
		}
	}
	return dbuser.Server{}, rotation.WithHint(fmt.Errorf("the global cluster of %q has no writer now: %w", clip(e.host), rotation.ErrUnreachable), "Wait for the failover to end.")
}

// cluster asks for a cluster by its name or ARN.
func (d *Directory) cluster(ctx context.Context, id string) (types.DBCluster, error) {
	const operation = "DescribeDBClusters"
	found, err := each(func(marker *string) ([]types.DBCluster, *string, error) {
		out, err := d.api.DescribeDBClusters(ctx, &rds.DescribeDBClustersInput{DBClusterIdentifier: &id, Marker: marker}, withinDeadline(ctx))
		if err != nil {
			return nil, nil, translate(ctx, operation, err)
		}
		return out.DBClusters, out.Marker, nil
	}, func(c types.DBCluster) bool { return is(id, c.DBClusterIdentifier, c.DBClusterArn) })
	return found, absent(operation, id, err)
}

// instance asks for an instance by its name or ARN.
func (d *Directory) instance(ctx context.Context, id string) (types.DBInstance, error) {
	const operation = "DescribeDBInstances"
	found, err := each(func(marker *string) ([]types.DBInstance, *string, error) {
		out, err := d.api.DescribeDBInstances(ctx, &rds.DescribeDBInstancesInput{DBInstanceIdentifier: &id, Marker: marker}, withinDeadline(ctx))
		if err != nil {
			return nil, nil, translate(ctx, operation, err)
		}
		return out.DBInstances, out.Marker, nil
	}, func(i types.DBInstance) bool { return is(id, i.DBInstanceIdentifier, i.DBInstanceArn) })
	return found, absent(operation, id, err)
}

func is(id string, name, arn *string) bool {
	return strings.EqualFold(id, aws.ToString(name)) || strings.EqualFold(id, aws.ToString(arn))
}

// each turns pages until one holds what is looked for, or there are no more.
func each[T any](page func(marker *string) ([]T, *string, error), wanted func(T) bool) (T, error) {
	var none T
	for marker := (*string)(nil); ; {
		items, next, err := page(marker)
		if err != nil {
			return none, err
		}
		if n := slices.IndexFunc(items, wanted); n >= 0 {
			return items[n], nil
		}
		if marker = next; aws.ToString(marker) == "" {
			return none, errAbsent
		}
	}
}

var errAbsent = fmt.Errorf("there is none: %w", rotation.ErrConfig)

// absent says what it is that was looked for in vain.
func absent(operation, what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errAbsent):
		return rotation.WithHint(fmt.Errorf("%s: looking for %q: %w", operation, clip(what), err), otherwhere)
	}
	return err
}
