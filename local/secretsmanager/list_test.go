package secretsmanager_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

func TestListSecrets(t *testing.T) {
	w := newWorld(t)
	for i := range 7 {
		w.create(fmt.Sprint("s", i), "v")
		w.pass(time.Second)
	}
	walk := func(order types.SortOrderType) (names []string) {
		in := &api.ListSecretsInput{MaxResults: aws.Int32(3), SortOrder: order}
		for {
			out := must(w.ListSecrets(t.Context(), in))(t)
			for _, s := range out.SecretList {
				names = append(names, *s.Name)
			}
			if in.NextToken = out.NextToken; in.NextToken == nil {
				return names
			}
			// What is deleted meanwhile, even the last one listed, does not end the listing.
			must(w.DeleteSecret(t.Context(), &api.DeleteSecretInput{SecretId: &names[len(names)-1], ForceDeleteWithoutRecovery: aws.Bool(true)}))(t)
		}
	}
	if got := walk(types.SortOrderTypeAsc); !slices.Equal(got, []string{"s0", "s1", "s2", "s3", "s4", "s5", "s6"}) {
		t.Error(got)
	}
	if got := walk(types.SortOrderTypeDesc); !slices.Equal(got, []string{"s6", "s4", "s3", "s1", "s0"}) {
		t.Error(got)
	}
	_, err := w.ListSecrets(t.Context(), &api.ListSecretsInput{NextToken: aws.String("bm90IG91cnM")})
	refused(t, err, "InvalidNextTokenException", "")
	_, err = w.ListSecrets(t.Context(), &api.ListSecretsInput{MaxResults: aws.Int32(101)})
	refused(t, err, "ValidationException", "1 validation error detected: Value '101' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 100")
	if out := must(w.client("eu-west-1").ListSecrets(t.Context(), &api.ListSecretsInput{}))(t); len(out.SecretList) != 0 {
		t.Error("another Region's secrets are listed")
	}
}
