package dynamodb

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/rekey-aws/rekey/local/awsjson"
)

type getRequest struct {
	TableName      string
	Key            item
	ConsistentRead bool
}

type getAnswer struct {
	Item item `json:",omitempty"`
}

func (d *Database) get(_ context.Context, r getRequest) (*getAnswer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t, partition, sort, err := d.find(r.TableName, r.Key, true)
	if err != nil {
		return nil, err
	}
	return &getAnswer{t.items[partition][sort]}, nil
}

// check parses the condition with the names, and returns what it says of an item.
func (e *putRequest) check(n *names) (func(old item) error, error) {
	holds := func(item) bool { return true }
	if e.ConditionExpression != "" {
		var err error
		if holds, err = parseCondition(n, e.ConditionExpression); err != nil {
			return nil, err
		}
	}
	switch e.ReturnValuesOnConditionCheckFailure {
	case "", "NONE", "ALL_OLD":
	default:
		return nil, invalid("ReturnValuesOnConditionCheckFailure %q is not known", e.ReturnValuesOnConditionCheckFailure)
	}
	return func(old item) error {
		if holds(old) {
			return nil
		}
		failed := awsjson.Refuse("ConditionalCheckFailedException", "The conditional request failed")
		if e.ReturnValuesOnConditionCheckFailure == "ALL_OLD" && old != nil {
			failed.Members = map[string]any{"Item": old}
		}
		return failed
	}, n.unused()
}

type putRequest struct {
	TableName                           string
	Item                                item
	ConditionExpression                 string
	ExpressionAttributeNames            map[string]string
	ExpressionAttributeValues           map[string]attribute
	ReturnValuesOnConditionCheckFailure string
}

type putAnswer struct{}

func (d *Database) put(_ context.Context, r putRequest) (*putAnswer, error) {
	check, err := r.check(&names{attributes: r.ExpressionAttributeNames, values: r.ExpressionAttributeValues, used: map[string]bool{}})
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	t, partition, sort, err := d.find(r.TableName, r.Item, false)
	if err != nil {
		return nil, err
	}
	old := t.items[partition][sort]
	if err := check(old); err != nil {
		return nil, err
	}
	return &putAnswer{}, d.write(t, partition, sort, r.Item)
}

type queryRequest struct {
	TableName                 string
	KeyConditionExpression    string
	FilterExpression          string
	ExpressionAttributeNames  map[string]string
	ExpressionAttributeValues map[string]attribute
	ExclusiveStartKey         item
	Limit                     int
	ConsistentRead            bool
}

type queryAnswer struct {
	Items            []item
	Count            int
	ScannedCount     int
	LastEvaluatedKey item `json:",omitempty"`
}

// pageSize is smaller than that of AWS, which is 1 MB, so that pages are turned.
const pageSize = 100

// query knows key conditions of the form "partition = :value".
func (d *Database) query(_ context.Context, r queryRequest) (*queryAnswer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := &names{attributes: r.ExpressionAttributeNames, values: r.ExpressionAttributeValues, used: map[string]bool{}}
	t := d.tables[r.TableName]
	if t == nil {
		return nil, awsjson.Refuse("ResourceNotFoundException", "Requested resource not found: Table: %s not found", r.TableName)
	}
	p := newParser(n, r.KeyConditionExpression)
	if path := p.path(); path != t.Partition {
		return nil, invalid("Query condition missed key schema element: %s", t.Partition)
	}
	p.expect("=")
	wanted, _ := p.operand()(nil)
	if err := p.end(); err != nil {
		return nil, err
	}
	holds := func(item) bool { return true }
	if r.FilterExpression != "" {
		var err error
		if holds, err = parseCondition(n, r.FilterExpression); err != nil {
			return nil, err
		}
	}
	if err := n.unused(); err != nil {
		return nil, err
	}
	partition := t.items[wanted.text]
	answer := &queryAnswer{Items: []item{}}
	limit := pageSize
	if r.Limit > 0 {
		limit = min(limit, r.Limit)
	}
	for _, sort := range slices.SortedFunc(maps.Keys(partition), strings.Compare) {
		if after := r.ExclusiveStartKey[t.Sort].text; sort <= after {
			continue
		}
		if answer.ScannedCount == limit {
			break
		}
		answer.ScannedCount++
		answer.LastEvaluatedKey = item{t.Partition: wanted, t.Sort: attribute{kind: "S", text: sort}}
		if i := partition[sort]; holds(i) {
			answer.Items = append(answer.Items, i)
			answer.Count++
		}
	}
	if answer.ScannedCount < limit {
		answer.LastEvaluatedKey = nil
	}
	return answer, nil
}
