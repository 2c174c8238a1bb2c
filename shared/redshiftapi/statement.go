package redshiftapi

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/redshiftdata"
	"github.com/aws/aws-sdk-go-v2/service/redshiftdata/types"

	"github.com/rekey-aws/rekey/shared/awsclient"
	"github.com/rekey-aws/rekey/shared/dbuser"
	driver "github.com/rekey-aws/rekey/shared/redshift"
	"github.com/rekey-aws/rekey/shared/rotation"
)

const service = "redshift-data"

// longest statement that the Data API takes.
//
// https://docs.aws.amazon.com/redshift/latest/mgmt/data-api.html#data-api-calling-considerations
const longest = 100_000

// Run implements [driver.DataAPI]. The call that starts a statement has a token,
// so that tries of it start one.
func (d *Directory) Run(ctx context.Context, l dbuser.Login, statement, name string) ([][]string, error) {
	if len(statement) > longest {
		return nil, fmt.Errorf("a statement of %d bytes is more than the Data API takes: %w", len(statement), rotation.ErrInternal)
	}
	w, err := d.warehouse(ctx, l.ServerName)
	if err != nil {
		return nil, err
	}
	in := &redshiftdata.ExecuteStatementInput{Sql: &statement, StatementName: &name, Database: &l.Database}
	switch {
	case l.API != nil && l.API.SecretARN != "":
		in.SecretArn = &l.API.SecretARN
	case w.cluster != "":
		in.DbUser = &l.Username
	} // a workgroup takes the user from the role
	if w.cluster != "" {
		in.ClusterIdentifier = &w.cluster
	} else {
		in.WorkgroupName = &w.workgroup
	}
	id, err := d.start(ctx, in)
	if err != nil {
		return nil, err
	}
	has, err := d.await(ctx, id)
	if err != nil || !has {
		return nil, err
	}
	return d.result(ctx, id)
}

// start has a statement run. While the account runs as many as it may, it is
// tried again.
func (d *Directory) start(ctx context.Context, in *redshiftdata.ExecuteStatementInput) (id string, err error) {
	for pause := 4 * d.pause; ; pause = min(2*pause, 2*time.Second) {
		out, err := d.statements.ExecuteStatement(ctx, in, untilDeadlineData(ctx))
		if err == nil {
			return aws.ToString(out.Id), nil
		}
		var active *types.ActiveStatementsExceededException
		if !errors.As(err, &active) || !sleep(ctx, pause) {
			return "", failure(ctx, "ExecuteStatement", err)
		}
	}
}

// failure is an error of the API: Redshift's own words have kinds of their own.
func failure(ctx context.Context, operation string, err error) error {
	var refused *types.ExecuteStatementException
	var invalid *types.ValidationException
	switch {
	case errors.As(err, &refused):
		return fmt.Errorf("%s: %w", operation, driver.Failure(refused.ErrorMessage()))
	case errors.As(err, &invalid) && strings.Contains(invalid.ErrorMessage(), "password authentication failed"):
		return fmt.Errorf("%s: %w", operation, driver.Failure(invalid.ErrorMessage()))
	}
	return translate(ctx, service, operation, err)
}

// await waits for a statement's end, and tells whether it has a result. When ctx
// ends first, the statement is cancelled, so that nothing changes later what is
// thought not to have happened.
func (d *Directory) await(ctx context.Context, id string) (bool, error) {
	for pause := d.pause; ; pause = min(2*pause, time.Second) {
		out, err := d.statements.DescribeStatement(ctx, &redshiftdata.DescribeStatementInput{Id: &id}, untilDeadlineData(ctx))
		switch {
		case err != nil:
			d.cancel(ctx, id)
			return false, failure(ctx, "DescribeStatement", err)
		case out.Status == types.StatusStringFinished:
			return aws.ToBool(out.HasResultSet), nil
		case out.Status == types.StatusStringFailed:
			return false, driver.Failure(aws.ToString(out.Error))
		case out.Status == types.StatusStringAborted:
			return false, fmt.Errorf("the statement was cancelled by someone: %w", rotation.ErrVendor)
		}
		if !sleep(ctx, pause) {
			d.cancel(ctx, id)
			return false, fmt.Errorf("the statement did not end in the time there was (it is %s): %w", strings.ToLower(string(out.Status)), rotation.ErrUnreachable)
		}
	}
}

func (d *Directory) cancel(ctx context.Context, id string) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), d.patience)
	defer stop()
	// Whether it can be cancelled or has ended, the next try finds out.
	_, _ = d.statements.CancelStatement(ctx, &redshiftdata.CancelStatementInput{Id: &id}, untilDeadlineData(ctx))
}

// result turns the pages of a result.
func (d *Directory) result(ctx context.Context, id string) (table [][]string, err error) {
	for token := (*string)(nil); ; {
		out, err := d.statements.GetStatementResult(ctx, &redshiftdata.GetStatementResultInput{Id: &id, NextToken: token}, untilDeadlineData(ctx))
		if err != nil {
			return nil, failure(ctx, "GetStatementResult", err)
		}
		for _, record := range out.Records {
			row := make([]string, len(record))
			for i, f := range record {
				if row[i], err = cell(f); err != nil {
					return nil, err
				}
			}
			table = append(table, row)
		}
		if token = out.NextToken; aws.ToString(token) == "" {
			return table, nil
		}
	}
}

// cell is a field as text; NULL is "".
func cell(f types.Field) (string, error) {
	switch v := f.(type) {
	case *types.FieldMemberIsNull:
		return "", nil
	case *types.FieldMemberStringValue:
		return v.Value, nil
	case *types.FieldMemberBooleanValue:
		return strconv.FormatBool(v.Value), nil
	case *types.FieldMemberLongValue:
		return strconv.FormatInt(v.Value, 10), nil
	case *types.FieldMemberDoubleValue:
		return strconv.FormatFloat(v.Value, 'g', -1, 64), nil
	}
	return "", fmt.Errorf("the Data API answers with a field of type %T: %w", f, rotation.ErrVendor)
}

// Finished implements [driver.DataAPI]. Statements of other roles are not seen.
func (d *Directory) Finished(ctx context.Context, l dbuser.Login, name string) ([]string, error) {
	w, err := d.warehouse(ctx, l.ServerName)
	if err != nil {
		return nil, err
	}
	in := &redshiftdata.ListStatementsInput{StatementName: &name, Status: types.StatusStringFinished, RoleLevel: aws.Bool(true), MaxResults: 100}
	if w.cluster != "" {
		in.ClusterIdentifier = &w.cluster
	} else {
		in.WorkgroupName = &w.workgroup
	}
	var found []types.StatementData
	for {
		out, err := d.statements.ListStatements(ctx, in, untilDeadlineData(ctx))
		if err != nil {
			return nil, failure(ctx, "ListStatements", err)
		}
		for _, s := range out.Statements {
			if aws.ToString(s.StatementName) == name { // it is asked for by its beginning
				found = append(found, s)
			}
		}
		if in.NextToken = out.NextToken; aws.ToString(in.NextToken) == "" {
			break
		}
	}
	slices.SortStableFunc(found, func(a, b types.StatementData) int { return aws.ToTime(b.CreatedAt).Compare(aws.ToTime(a.CreatedAt)) })
	var statements []string
	for _, s := range found {
		statements = append(statements, aws.ToString(s.QueryString))
	}
	return statements, nil
}

// sleep waits, and reports false if ctx ends, or would end, before.
func sleep(ctx context.Context, d time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		return false
	}
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

func untilDeadlineData(ctx context.Context) func(*redshiftdata.Options) {
	return func(o *redshiftdata.Options) { o.Retryer = awsclient.UntilDeadline(ctx, o.Retryer) }
}
