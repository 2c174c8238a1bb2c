package secretstore_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// Of many who claim at once one succeeds, and no label of AWS moves.
func TestOneClaimSucceeds(t *testing.T) {
	s := start(t)
	const id = "rekey-claim-0123456789abcdef0123456789abcdef"
	var won atomic.Int32
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			err := s.store.Claim(context.Background(), s.r, id, rotation.TextValue(fmt.Sprintf(`{"try":%d}`, i)))
			switch {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, rotation.ErrConflict):
				t.Errorf("got %v, want ErrConflict", err)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Errorf("%d claims succeeded, want 1", won.Load())
	}
	held, err := s.store.Get(t.Context(), s.id, rotation.Version{ID: id})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.store.Claim(t.Context(), s.r, id, held.Value); err != nil {
		t.Errorf("the same note again: %v", err)
	}
	out, err := s.DescribeSecret(t.Context(), &sdk.DescribeSecretInput{SecretId: &s.id})
	if err != nil {
		t.Fatal(err)
	}
	if l := out.VersionIdsToStages[s.original]; len(l) != 1 || l[0] != rotation.Current {
		t.Errorf("the current version has the labels %v", l)
	}
	if l := out.VersionIdsToStages[s.r.Token]; len(l) != 1 || l[0] != rotation.Pending {
		t.Errorf("the pending version has the labels %v", l)
	}
}
