// Package fleet rotates thousands of secrets, to see what a Region's quotas allow and what a
// fleet needs of them. What counts is real: the store, the engine and the machine of a
// rotation function, the SDK's client with its retries, and the stand-in for Secrets Manager
// with the service's quotas. What only takes time is simulated: networks, Lambda and
// databases are pauses, and the clock is that of testing/synctest, in whose bubble [Run] is to
// be called. So an hour passes in as long as its work takes.
package fleet

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"

	"github.com/rekey-aws/rekey/infra/config"
	"github.com/rekey-aws/rekey/local/secretsmanager"
)

// Options describe a fleet and its world.
type Options struct {
	Secrets int
	Rate    int // rotations that a run of the state machine begins each second
	Runs    int // how many run side by side, for a tag each; 0 is 1

	// The pauses. The zero value is [Usual].
	Pauses Pauses
}

// Pauses are what things take that are simulated.
type Pauses struct {
	Call   time.Duration // a call of AWS, there and back
	Cold   time.Duration // a start of a function before it is invoked for the first time
	Invoke time.Duration // from Secrets Manager to a function, each step
	Login  time.Duration // a connection to a database: TLS and the login
	Query  time.Duration // a statement
}

// Usual is a function in the VPC of its database.
var Usual = Pauses{
	Call: 10 * time.Millisecond, Cold: 150 * time.Millisecond, Invoke: 20 * time.Millisecond,
	Login: 30 * time.Millisecond, Query: 2 * time.Millisecond,
}

// Report is what became of a fleet.
type Report struct {
	Secrets, Rate, Runs int

	// In simulated time:
	Took      time.Duration // from the first call of the run to its end
	Rotated   int
	Failed    int
	LockedOut int // secrets whose current password does not log in afterwards; there are none
	Functions int // instances that ran at once
	Quotas    []Quota

	// Measured:
	Logins, Refused int     // by the function
	CPU             float64 // milliseconds a rotation, of the function and of the stand-in
	Heap, HeapAfter int     // bytes of memory a secret, of the stand-in, before the run and after it
	StateBytes      int     // of the names of a page, which a state holds
}

// PerSecond is how many rotations ended each second.
func (r Report) PerSecond() float64 { return float64(r.Rotated) / r.Took.Seconds() }

// region is the stand-in, the function and the databases.
type region struct {
	Options
	server    *secretsmanager.Server
	client    *sdk.Client // the state machine's: it does not try again by itself
	functions *functions
	targets   *targets
	quotas    *meter
}

// Run makes the secrets, and rotates all of them as the state machine of the deployment does.
func Run(ctx context.Context, o Options) (Report, error) {
	o.Runs = max(o.Runs, 1)
	if o.Pauses == (Pauses{}) {
		o.Pauses = Usual
	}
	empty := heap()
	w := &region{Options: o, targets: newTargets(o.Pauses), quotas: newMeter()}
	if err := w.build(); err != nil {
		return Report{}, err
	}
	defer func() { _ = w.server.Close() }() // in memory: there is nothing that could fail
	if err := w.stock(ctx); err != nil {
		return Report{}, err
	}
	r := Report{Secrets: o.Secrets, Rate: o.Rate, Runs: o.Runs, Heap: (heap() - empty) / o.Secrets}
	w.quotas.reset()
	begun, cpu := time.Now(), cpuTime()
	if err := w.rotateAll(ctx, &r); err != nil {
		return r, err
	}
	r.Took, r.CPU = time.Since(begun), float64((cpuTime()-cpu).Microseconds())/1000/float64(o.Secrets)
	r.Quotas = w.quotas.sum(r.Took)
	r.HeapAfter = (heap() - empty) / o.Secrets
	r.Functions, r.Logins, r.Refused = w.functions.most, w.targets.logins, w.targets.refused
	var err error
	r.LockedOut, err = w.lockedOut(ctx)
	return r, err
}

func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc) //nolint:gosec // G115: memory is not that large
}

func (w *region) build() error {
	wire := &wire{pause: w.Pauses.Call}
	w.functions = &functions{targets: w.targets, wire: wire, pauses: w.Pauses}
	var err error
	w.server, err = secretsmanager.New(secretsmanager.Options{
		Region: regionName, Invoker: w.functions, Faults: secretsmanager.Quotas(), OnCall: w.quotas.count,
	})
	if err != nil {
		return err
	}
	wire.server = w.server
	w.client = sdk.New(sdk.Options{
		Region: regionName, Credentials: credentials, HTTPClient: wire, Retryer: aws.NopRetryer{}, BaseEndpoint: aws.String("http://standin.invalid"),
	})
	return nil
}

// stock makes the secrets and turns their rotation on, in 25 a second: half of the quota.
func (w *region) stock(ctx context.Context) error {
	w.functions.deaf = true
	defer func() { w.functions.deaf = false }()
	for i := range w.Secrets {
		user := fmt.Sprintf("app_%06d", i)
		document := w.targets.add(user)
		made, err := w.client.CreateSecret(ctx, &sdk.CreateSecretInput{
			Name: aws.String("fleet/" + user), SecretString: &document,
			Tags: []types.Tag{{Key: aws.String(tagKey), Value: aws.String(w.tagValue(i))}},
		})
		if err == nil {
			_, err = w.client.RotateSecret(ctx, &sdk.RotateSecretInput{
				SecretId: made.ARN, RotationLambdaARN: aws.String(functionARN), RotateImmediately: aws.Bool(false),
				RotationRules: &types.RotationRulesType{AutomaticallyAfterDays: aws.Int64(30)},
			})
		}
		if err == nil {
			_, err = w.server.Wait(ctx, *made.ARN)
		}
		if err != nil {
			return fmt.Errorf("making the secret of %s: %w", user, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	return nil
}

const (
	tagKey     = "team"
	regionName = "us-east-1"
)

// tagValue is the team of a secret: each run rotates those of one.
func (w *region) tagValue(i int) string { return fmt.Sprintf("team-%d", i%w.Runs) }

// rotateAll runs the state machine for each team.
func (w *region) rotateAll(ctx context.Context, r *Report) error {
	reports, errs := make([]Report, w.Runs), make([]error, w.Runs)
	var group sync.WaitGroup
	for i := range w.Runs {
		group.Go(func() { errs[i] = w.rotateTeam(ctx, w.tagValue(i), &reports[i]) })
	}
	group.Wait()
	for _, one := range reports {
		r.Rotated, r.Failed, r.StateBytes = r.Rotated+one.Rotated, r.Failed+one.Failed, max(r.StateBytes, one.StateBytes)
	}
	return errors.Join(errs...)
}

// rotateTeam does what the state machine does: see infra/rekey's Fleet, whose numbers these are.
func (w *region) rotateTeam(ctx context.Context, team string, r *Report) error {
	in := &sdk.ListSecretsInput{MaxResults: aws.Int32(config.FleetPage), Filters: []types.Filter{
		{Key: types.FilterNameStringTypeTagKey, Values: []string{tagKey}},
		{Key: types.FilterNameStringTypeTagValue, Values: []string{team}},
	}}
	for {
		page, err := w.client.ListSecrets(ctx, in)
		if err != nil {
			return fmt.Errorf("listing a page: %w", err)
		}
		rotated := make([]bool, len(page.SecretList))
		var group sync.WaitGroup
		bytes := 0
		for i, s := range page.SecretList {
			bytes += len(`"",`) + len(*s.ARN)
			group.Go(func() { rotated[i] = w.rotate(ctx, *s.ARN, time.Duration(i/w.Rate)*time.Second) })
		}
		group.Wait()
		for _, ok := range rotated {
			if ok {
				r.Rotated++
			} else {
				r.Failed++
			}
		}
		r.StateBytes = max(r.StateBytes, bytes)
		if in.NextToken = page.NextToken; in.NextToken == nil {
			return nil
		}
	}
}

// rotate is one secret's branch: it waits for its turn, begins the rotation, and looks until
// it is current.
func (w *region) rotate(ctx context.Context, arn string, turn time.Duration) bool {
	time.Sleep(turn)
	var token string
	for try := 1; ; try++ {
		out, err := w.client.RotateSecret(ctx, &sdk.RotateSecretInput{SecretId: &arn})
		if err == nil {
			token = *out.VersionId
			break
		}
		if !throttled(err) || try > 4 {
			return false
		}
		time.Sleep(rand.N(2 * time.Second << try)) //nolint:gosec // G404: jitter
	}
	for range config.FleetLooks {
		time.Sleep(config.FleetPause)
		out, err := w.client.DescribeSecret(ctx, &sdk.DescribeSecretInput{SecretId: &arn})
		if err != nil {
			return false
		}
		for _, label := range out.VersionIdsToStages[token] {
			if label == "AWSCURRENT" {
				return true
			}
		}
	}
	return false
}

func throttled(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && api.ErrorCode() == "ThrottlingException"
}

// lockedOut counts the secrets whose current password is not the database's.
func (w *region) lockedOut(ctx context.Context) (int, error) {
	n := 0
	for user := range w.targets.passwords {
		out, err := w.client.GetSecretValue(ctx, &sdk.GetSecretValueInput{SecretId: aws.String("fleet/" + user)})
		if err != nil {
			return n, err
		}
		if !w.targets.accepts(user, *out.SecretString) {
			n++
		}
	}
	return n, nil
}
