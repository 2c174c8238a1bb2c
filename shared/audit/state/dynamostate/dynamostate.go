// Package dynamostate keeps the state of detections and alerts in a DynamoDB table.
package dynamostate

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

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

// Table is [state.Records] in a table. It is safe for concurrent use, and right for any number
// of functions at once: reads are consistent, writes are conditional. Errors wrap one of the
// sentinels of package rotation.
type Table struct {
	aws  awsclient.Settings
	name string
}

var _ state.Records = (*Table)(nil)

// New makes the store of a table that exists, in the Region of the settings. Nothing is called
// before the first use.
func New(s awsclient.Settings, table string) *Table { return &Table{s, table} }

var service = awsclient.Service{Name: "dynamodb", Variable: "DYNAMODB", Version: "1.0", Target: "DynamoDB_20120810.", GovCloud: true}

// What is said to DynamoDB, and what it answers:
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Operations_Amazon_DynamoDB.html
type (
	attribute struct {
		S *string `json:",omitempty"`
		N *string `json:",omitempty"`
	}
	item    map[string]attribute
	getItem struct {
		TableName      string
		Key            item
		ConsistentRead bool
	}
	putItem struct {
		TableName                           string
		Item                                item
		ConditionExpression                 string
		ExpressionAttributeValues           item `json:",omitempty"`
		ReturnValuesOnConditionCheckFailure string
	}
	query struct {
		TableName                 string
		KeyConditionExpression    string
		ExpressionAttributeValues item
		ConsistentRead            bool
		ExclusiveStartKey         item `json:",omitempty"`
	}
	found struct { // by GetItem, or in a condition's way
		Item item
	}
	page struct {
		Items            []item
		LastEvaluatedKey item
	}
)

// Load is as in [state.Records].
func (t *Table) Load(ctx context.Context, k state.Key) (state.Record, error) {
	var out found
	if err := t.aws.Call(ctx, service, "GetItem", getItem{t.name, key(k), true}, &out); err != nil {
		return state.Record{}, translate(ctx, "GetItem", err)
	}
	return t.record(out.Item)
}

// Swap is as in [state.Records], also when an answer is lost and the client writes again.
func (t *Table) Swap(ctx context.Context, k state.Key, r state.Record) (bool, error) {
	by := rand.Text()
	in := putItem{
		TableName: t.name, Item: key(k), ConditionExpression: "attribute_not_exists(" + PartitionKey + ")",
		ReturnValuesOnConditionCheckFailure: "ALL_OLD",
	}
	in.Item[version], in.Item[TTLAttribute] = number(r.Version+1), number(r.Expires.Unix())
	in.Item[value], in.Item[writer] = text(string(r.Value)), text(by)
	if r.Version > 0 {
		in.ConditionExpression = version + " = :old"
		in.ExpressionAttributeValues = item{":old": number(r.Version)}
	}
	err := t.aws.Call(ctx, service, "PutItem", in, &struct{}{})
	if refused := (*awsclient.RefusedError)(nil); errors.As(err, &refused) && refused.Code == "ConditionalCheckFailedException" {
		var other found
		if err := json.Unmarshal(refused.Body, &other); err != nil {
			return false, fmt.Errorf("PutItem: what is in the way cannot be read: %w", rotation.ErrVendor)
		}
		return other.Item[writer].text() == by, nil
	}
	if err != nil {
		return false, translate(ctx, "PutItem", err)
	}
	return true, nil
}

// List is as in [state.Records].
func (t *Table) List(ctx context.Context, partition string) (map[string]state.Record, error) {
	all := map[string]state.Record{}
	ask := query{
		TableName: t.name, KeyConditionExpression: PartitionKey + " = :partition", ConsistentRead: true,
		ExpressionAttributeValues: item{":partition": text(partition)},
	}
	for {
		var out page
		if err := t.aws.Call(ctx, service, "Query", ask, &out); err != nil {
			return nil, translate(ctx, "Query", err)
		}
		for _, one := range out.Items {
			r, err := t.record(one)
			if err != nil {
				return nil, err
			}
			all[one[SortKey].text()] = r
		}
		if ask.ExclusiveStartKey = out.LastEvaluatedKey; len(ask.ExclusiveStartKey) == 0 {
			return all, nil
		}
	}
}

func (t *Table) record(one item) (state.Record, error) {
	if one == nil {
		return state.Record{}, nil
	}
	known := one[version].N
	if known == nil {
		return state.Record{}, rotation.WithHint(fmt.Errorf("the table %s has an item of another kind: %w", t.name, rotation.ErrConfig), "Give the forwarder a table of its own.")
	}
	v, err := strconv.ParseInt(*known, 10, 64)
	if err != nil {
		return state.Record{}, fmt.Errorf("the table %s has a version that is no number: %w", t.name, rotation.ErrConfig)
	}
	r := state.Record{Version: v, Value: []byte(one[value].text())}
	if n := one[TTLAttribute].N; n != nil {
		if seconds, err := strconv.ParseInt(*n, 10, 64); err == nil {
			r.Expires = time.Unix(seconds, 0).UTC()
		}
	}
	return r, nil
}

func key(k state.Key) item { return item{PartitionKey: text(k.Partition), SortKey: text(k.Name)} }

func number(n int64) attribute {
	s := strconv.FormatInt(n, 10)
	return attribute{N: &s}
}

func text(s string) attribute { return attribute{S: &s} }

// text is that of an attribute, empty if it has none.
func (a attribute) text() string {
	if a.S == nil {
		return ""
	}
	return *a.S
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
