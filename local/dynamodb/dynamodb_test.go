package dynamodb_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/rekey-aws/rekey/local/dynamodb"
)

func open(t *testing.T, file string) (*sdk.Client, *dynamodb.Database) {
	t.Helper()
	d, err := dynamodb.Open(dynamodb.Options{Tables: []dynamodb.Table{{Name: "t", Partition: "pk", Sort: "sk"}}, File: file})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(d)
	t.Cleanup(func() {
		web.Close()
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return sdk.New(sdk.Options{
		Region: "us-east-1", BaseEndpoint: &web.URL, RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "k", SecretAccessKey: "s"}, nil
		}),
	}), d
}

func s(v string) types.AttributeValue { return &types.AttributeValueMemberS{Value: v} }
func n(v int) types.AttributeValue    { return &types.AttributeValueMemberN{Value: fmt.Sprint(v)} }

func key(pk, sk string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"pk": s(pk), "sk": s(sk)}
}

// One of many who write on the condition that nobody has, does; a sum that all add to is whole.
func TestConcurrentWriters(t *testing.T) {
	t.Parallel()
	client, d := open(t, "")
	var mu sync.Mutex
	var group sync.WaitGroup
	won := 0
	for i := range 20 {
		group.Go(func() {
			_, err := client.PutItem(t.Context(), &sdk.PutItemInput{
				TableName: aws.String("t"), Item: map[string]types.AttributeValue{"pk": s("a"), "sk": s("-"), "owner": n(i)},
				ConditionExpression: aws.String("attribute_not_exists(pk)"),
			})
			refused := (*types.ConditionalCheckFailedException)(nil)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				won++
			case !errors.As(err, &refused):
				t.Error(err)
			}
		})
	}
	group.Wait()
	if won != 1 || d.Len("t") != 1 {
		t.Errorf("%d won, %d items", won, d.Len("t"))
	}
}

func TestConditions(t *testing.T) {
	t.Parallel()
	client, _ := open(t, "")
	type values = map[string]types.AttributeValue
	put := func(condition string, v values) error {
		item := key("a", "b")
		item["n"], item["tags"] = n(5), &types.AttributeValueMemberSS{Value: []string{"x", "y"}}
		in := &sdk.PutItemInput{TableName: aws.String("t"), Item: item, ExpressionAttributeValues: v}
		if condition != "" {
			in.ConditionExpression = &condition
		}
		_, err := client.PutItem(t.Context(), in)
		return err
	}
	if err := put("", nil); err != nil {
		t.Fatal(err)
	}
	const failed, invalid = "ConditionalCheckFailedException", "ValidationException"
	for _, step := range []struct {
		condition string
		values    values
		code      string
	}{
		{"n = :n", values{":n": n(5)}, ""},
		{"n < :n", values{":n": n(5)}, failed},
		{"n <= :n AND NOT attribute_exists(other)", values{":n": n(5)}, ""},
		{"attribute_not_exists(pk) OR (n >= :n AND n > :m)", values{":n": n(5), ":m": n(4)}, ""},
		{"attribute_not_exists(pk)", nil, failed},
		{"contains(tags, :t)", values{":t": s("x")}, ""},
		{"contains(tags, :t)", values{":t": s("z")}, failed},
		{"begins_with(sk, :p) AND n <> :p", values{":p": s("b")}, ""},
		{"missing = :n", values{":n": n(5)}, failed},
		{"owner = :n", values{":n": n(1)}, invalid}, // a keyword
		{"n = :n", values{":n": n(1), ":other": n(2)}, invalid},
		{"n = :absent", nil, invalid},
		{"size(n) = :n", values{":n": n(1)}, invalid},
		{"n = :n nonsense", values{":n": n(1)}, invalid},
		{"n == :n", values{":n": n(1)}, invalid},
	} {
		err := put(step.condition, step.values)
		var refused smithy.APIError
		code := ""
		if errors.As(err, &refused) {
			code = refused.ErrorCode()
		}
		if code != step.code || err != nil && code == "" {
			t.Errorf("%s: %v, want %q", step.condition, err, step.code)
		}
	}
}

// Pages are turned, and the items of a file are there again.
func TestQueryAndFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "items.db")
	d, err := dynamodb.Open(dynamodb.Options{Tables: []dynamodb.Table{{Name: "t", Partition: "pk", Sort: "sk"}}, File: file})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	client, kept := open(t, file)
	for i := range 250 {
		if _, err := client.PutItem(t.Context(), &sdk.PutItemInput{TableName: aws.String("t"), Item: key("p", fmt.Sprintf("%03d", i))}); err != nil {
			t.Fatal(err)
		}
	}
	pages := sdk.NewQueryPaginator(client, &sdk.QueryInput{
		TableName: aws.String("t"), KeyConditionExpression: aws.String("pk = :p"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":p": s("p")},
	})
	total, turned := 0, 0
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		total += len(page.Items)
		turned++
	}
	if total != 250 || turned < 3 {
		t.Errorf("%d items in %d pages", total, turned)
	}
	if err := kept.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := dynamodb.Open(dynamodb.Options{Tables: []dynamodb.Table{{Name: "t", Partition: "pk", Sort: "sk"}}, File: file})
	if err != nil || again.Len("t") != 250 {
		t.Fatalf("%v: %d items are there again", err, again.Len("t"))
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}
