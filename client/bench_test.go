package client_test

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-secretsmanager-caching-go/v2/secretcache"

	"github.com/rekey-aws/rekey/client"
	"github.com/rekey-aws/rekey/local/secretsmanager/secretsmanagertest"
)

func stored(t testing.TB) *secretsmanager.Client {
	t.Helper()
	api := secretsmanager.NewFromConfig(secretsmanagertest.New(t).Config())
	_, err := api.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("prod/db"), SecretString: aws.String(`{"password": "example"}`)})
	if err != nil {
		t.Fatal(err)
	}
	return api
}

func TestHitAllocatesNothing(t *testing.T) {
	cache := client.New(client.FromAPI(stored(t)), client.Options{})
	defer cache.Close()
	ctx := t.Context()
	if n := testing.AllocsPerRun(1000, func() {
		if _, err := cache.Get(ctx, "prod/db"); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("a hit makes %v allocations", n)
	}
}

// BenchmarkHit is one secret that is in the cache, beside AWS's own cache for Go.
func BenchmarkHit(b *testing.B) {
	api := stored(b)
	ours := client.New(client.FromAPI(api), client.Options{})
	defer ours.Close()
	theirs, err := secretcache.New(func(c *secretcache.Cache) { c.Client = api })
	if err != nil {
		b.Fatal(err)
	}
	for name, get := range map[string]func(context.Context) error{
		"rekey": func(ctx context.Context) error { _, err := ours.Get(ctx, "prod/db"); return err },
		"aws-secretsmanager-caching-go": func(ctx context.Context) error {
			_, err := theirs.GetSecretStringWithContext(ctx, "prod/db")
			return err
		},
	} {
		ctx := b.Context()
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := get(ctx); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/parallel", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := get(ctx); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}
