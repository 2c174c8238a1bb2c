// Package dynamostate keeps the state of detections and alerts in a DynamoDB table.
package dynamostate

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/rekey-aws/rekey/shared/audit/state"
	"github.com/rekey-aws/rekey/shared/awsclient"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// The form of a table: the keys are strings, and TTLAttribute holds Unix seconds. Items name
// secrets and callers: encrypt the table as the secrets are.
const (
	PartitionKey = "pk"
	SortKey      = "sk"
	TTLAttribute = "expires"
)

const (
	version = "v"
	value   = "doc"
	writer  = "by" // tells a write of ours whose answer was lost from another's
)

// api is the part of DynamoDB that a Table uses. *dynamodb.Client is one.
type api interface {
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
}

// Table is [state.Records] in a table. It is safe for concurrent use, and right for any number
// of functions at once: reads are consistent, writes are conditional. Errors wrap one of the
// sentinels of package rotation.
type Table struct {
	api  api
	name string
}

var _ state.Records = (*Table)(nil)

// Client makes a client from the function's settings; see [awsclient.Read].
func Client(s awsclient.Settings) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region: s.Region, Credentials: s.Credentials, HTTPClient: s.HTTPClient, Retryer: s.Retryer, AppID: awsclient.AppID,
		BaseEndpoint:    s.Endpoint("DYNAMODB"),
		EndpointOptions: dynamodb.EndpointResolverOptions{UseFIPSEndpoint: s.FIPS, UseDualStackEndpoint: s.DualStack},
	})
}

// New makes the store of a table that exists.
func New(client *dynamodb.Client, table string) *Table { return &Table{client, table} }

// Load is as in [state.Records].
func (t *Table) Load(ctx context.Context, k state.Key) (state.Record, error) {
	out, err := t.api.GetItem(ctx, &dynamodb.GetItemInput{TableName: &t.name, Key: key(k), ConsistentRead: aws.Bool(true)}, withinDeadline(ctx))
	if err != nil {
		return state.Record{}, translate(ctx, "GetItem", err)
	}
	return t.record(out.Item)
}

// Swap is as in [state.Records], also when an answer is lost and the client writes again.
func (t *Table) Swap(ctx context.Context, k state.Key, r state.Record) (bool, error) {
	item := key(k)
	item[version] = number(r.Version + 1)
	item[value] = &types.AttributeValueMemberS{Value: string(r.Value)}
	item[TTLAttribute] = number(r.Expires.Unix())
	by := rand.Text()
	item[writer] = &types.AttributeValueMemberS{Value: by}
	in := &dynamodb.PutItemInput{
		TableName: &t.name, Item: item, ConditionExpression: aws.String("attribute_not_exists(" + PartitionKey + ")"),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
	if r.Version > 0 {
		in.ConditionExpression = aws.String(version + " = :old")
		in.ExpressionAttributeValues = map[string]types.AttributeValue{":old": number(r.Version)}
	}
	_, err := t.api.PutItem(ctx, in, withinDeadline(ctx))
	if failed := (*types.ConditionalCheckFailedException)(nil); errors.As(err, &failed) {
		return text(failed.Item[writer]) == by, nil
	}
	if err != nil {
		return false, translate(ctx, "PutItem", err)
	}
	return true, nil
}

// List is as in [state.Records].
func (t *Table) List(ctx context.Context, partition string) (map[string]state.Record, error) {
	found := map[string]state.Record{}
	pages := dynamodb.NewQueryPaginator(t.api, &dynamodb.QueryInput{
		TableName: &t.name, KeyConditionExpression: aws.String(PartitionKey + " = :partition"), ConsistentRead: aws.Bool(true),
		ExpressionAttributeValues: map[string]types.AttributeValue{":partition": &types.AttributeValueMemberS{Value: partition}},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx, withinDeadline(ctx))
		if err != nil {
			return nil, translate(ctx, "Query", err)
		}
		for _, item := range page.Items {
			r, err := t.record(item)
			if err != nil {
				return nil, err
			}
			found[text(item[SortKey])] = r
		}
	}
	return found, nil
}

func (t *Table) record(item map[string]types.AttributeValue) (state.Record, error) {
	if item == nil {
		return state.Record{}, nil
	}
	number, known := item[version].(*types.AttributeValueMemberN)
	if !known {
		return state.Record{}, rotation.WithHint(fmt.Errorf("the table %s has an item of another kind: %w", t.name, rotation.ErrConfig), "Give the forwarder a table of its own.")
	}
	v, err := strconv.ParseInt(number.Value, 10, 64)
	if err != nil {
		return state.Record{}, fmt.Errorf("the table %s has a version that is no number: %w", t.name, rotation.ErrConfig)
	}
	r := state.Record{Version: v, Value: []byte(text(item[value]))}
	if n, known := item[TTLAttribute].(*types.AttributeValueMemberN); known {
		if seconds, err := strconv.ParseInt(n.Value, 10, 64); err == nil {
			r.Expires = time.Unix(seconds, 0).UTC()
		}
	}
	return r, nil
}

func key(k state.Key) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{
		PartitionKey: &types.AttributeValueMemberS{Value: k.Partition}, SortKey: &types.AttributeValueMemberS{Value: k.Name},
	}
}

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

func text(v types.AttributeValue) string {
	if s, is := v.(*types.AttributeValueMemberS); is {
		return s.Value
	}
	return ""
}

func withinDeadline(ctx context.Context) func(*dynamodb.Options) {
	return func(o *dynamodb.Options) { o.Retryer = awsclient.UntilDeadline(ctx, o.Retryer) }
}

// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
func translate(ctx context.Context, operation string, err error) error {
	return awsclient.Errors{
		Codes: map[string]awsclient.Meaning{
			"AccessDeniedException":     {Kind: rotation.ErrDenied, Hint: "Allow dynamodb:" + operation + " on the table, and the table's key, to the function's role."},
			"ResourceNotFoundException": {Kind: rotation.ErrConfig, Hint: "The table is not there: check STATE_TABLE."},
			"ValidationException":       {Kind: rotation.ErrConfig, Hint: "The table has another form: its keys are the strings " + PartitionKey + " and " + SortKey + "."},
		},
		NoAnswer: "DynamoDB did not answer: in a VPC the function needs a gateway endpoint for DynamoDB.",
	}.Translate(ctx, operation, err)
}
