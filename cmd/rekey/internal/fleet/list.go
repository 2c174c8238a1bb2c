package fleet

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/account"
)

// API is what is asked of Secrets Manager.
type API interface {
	ListSecrets(context.Context, *secretsmanager.ListSecretsInput, ...func(*secretsmanager.Options)) (*secretsmanager.ListSecretsOutput, error)
}

// Fleet is the secrets of some Regions. Its methods do not change it.
type Fleet struct {
	Regions map[string]API
	Choice  Choice
	Limits  Limits
	Now     func() time.Time
	// Deleted: those marked for deletion are listed too.
	Deleted bool
}

// Page is a part of what was chosen; of a filtered list it may be without secrets.
type Page struct {
	Region  string
	Secrets []*Secret
}

// Each calls see with each page of each Region as it comes, from one goroutine at a time. The
// Regions are read side by side, each of them one page ahead at the most, so memory does not
// grow with the number of secrets. It ends with the first error, of see too.
func (f *Fleet) Each(ctx context.Context, see func(Page) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	pages := make(chan Page)
	var readers sync.WaitGroup
	for region, api := range f.Regions {
		readers.Go(func() {
			if err := f.read(ctx, region, api, pages); err != nil {
				stop(err)
			}
		})
	}
	go func() {
		readers.Wait()
		close(pages)
	}()
	for page := range pages {
		if ctx.Err() != nil {
			continue // until the readers have ended
		}
		if err := see(page); err != nil {
			stop(err)
		}
	}
	return context.Cause(ctx)
}

// perPage is the most that ListSecrets gives:
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecrets.html
const perPage = 100

func (f *Fleet) read(ctx context.Context, region string, api API, pages chan<- Page) error {
	in := &secretsmanager.ListSecretsInput{MaxResults: aws.Int32(perPage), Filters: f.Choice.filters()}
	if f.Deleted {
		in.IncludePlannedDeletion = aws.Bool(true)
	}
	for {
		out, err := api.ListSecrets(ctx, in)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return fmt.Errorf("listing the secrets of %s: %w", region, account.Explain(ctx, "ListSecrets", err))
		}
		page := Page{Region: region}
		now := f.Now()
		for i := range out.SecretList {
			if e := &out.SecretList[i]; f.Choice.Has(e) {
				page.Secrets = append(page.Secrets, Of(e, region, now, f.Limits))
			}
		}
		select {
		case pages <- page:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if aws.ToString(out.NextToken) == "" {
			return nil
		}
		in.NextToken = out.NextToken
	}
}

// Described is what DescribeSecret's answer tells, as an entry of a list would.
func Described(d *secretsmanager.DescribeSecretOutput, region string, now time.Time, limits Limits) *Secret {
	return Of(entry(d), region, now, limits)
}

func entry(d *secretsmanager.DescribeSecretOutput) *types.SecretListEntry {
	return &types.SecretListEntry{
		ARN: d.ARN, Name: d.Name, Tags: d.Tags, OwningService: d.OwningService, PrimaryRegion: d.PrimaryRegion,
		RotationEnabled: d.RotationEnabled, RotationLambdaARN: d.RotationLambdaARN, RotationRules: d.RotationRules,
		LastRotatedDate: d.LastRotatedDate, NextRotationDate: d.NextRotationDate, LastChangedDate: d.LastChangedDate,
		DeletedDate: d.DeletedDate, SecretVersionsToStages: d.VersionIdsToStages,
	}
}
