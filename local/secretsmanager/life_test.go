package secretsmanager_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"
	"pgregory.net/rapid"
)

// life is the rules of one name's life in several Regions, as small as they can be said: what
// is there, whose copy it is, and until when it can be restored.
type life struct {
	now time.Time
	at  map[string]*being // by Region
}

type being struct {
	value    string
	primary  string // the Region it is a copy from; empty for a secret of its own
	replicas []string
	end      time.Time // zero: not marked for deletion
}

func (l *life) there(region string) *being {
	b := l.at[region]
	if b != nil && !b.end.IsZero() && !l.now.Before(b.end) {
		return nil
	}
	return b
}

// own is what can be changed in a Region.
func (l *life) own(region string) *being {
	if b := l.there(region); b != nil && b.primary == "" && b.end.IsZero() {
		return b
	}
	return nil
}

func (l *life) create(region, value string) bool {
	if l.there(region) != nil {
		return false
	}
	l.at[region] = &being{value: value}
	return true
}

func (l *life) put(region, value string) bool {
	b := l.own(region)
	if b == nil {
		return false
	}
	b.value = value
	for _, r := range b.replicas {
		l.at[r].value = value
	}
	return true
}

func (l *life) replicate(from, to string, overwrite bool) bool {
	b := l.own(from)
	if b == nil || from == to {
		return false
	}
	if taken := l.there(to); taken != nil && taken.primary != from {
		if !overwrite || taken.primary != "" || len(taken.replicas) > 0 {
			return true // the call succeeds, the replica fails
		}
	}
	if !slices.Contains(b.replicas, to) {
		b.replicas = append(b.replicas, to)
	}
	l.at[to] = &being{value: b.value, primary: from}
	return true
}

func (l *life) part(from, to string) bool {
	b := l.own(from)
	if b == nil {
		return false
	}
	if i := slices.Index(b.replicas, to); i >= 0 {
		b.replicas = slices.Delete(b.replicas, i, i+1)
		delete(l.at, to)
	}
	return true
}

func (l *life) promote(region string) bool {
	b := l.there(region)
	if b == nil || b.primary == "" {
		return false
	}
	primary := l.at[b.primary]
	primary.replicas = slices.DeleteFunc(primary.replicas, func(r string) bool { return r == region })
	b.primary = ""
	return true
}

func (l *life) mark(region string) bool {
	b := l.own(region)
	if b == nil || len(b.replicas) > 0 {
		return false
	}
	b.end = l.now.Add(7 * 24 * time.Hour)
	return true
}

func (l *life) restore(region string) bool {
	b := l.there(region)
	if b == nil || b.primary != "" {
		return false
	}
	b.end = time.Time{}
	return true
}

// readable is what GetSecretValue tells in a Region; empty if it refuses.
func (l *life) readable(region string) string {
	if b := l.there(region); b != nil && b.end.IsZero() {
		return b.value
	}
	return ""
}

func TestLivesFollowTheModel(t *testing.T) {
	w := newWorld(t)
	regions := []string{"us-east-1", "eu-west-1", "ap-south-1"}
	clients := map[string]*api.Client{}
	for _, r := range regions {
		clients[r] = w.client(r, func(o *api.Options) { o.HTTPClient = direct{w.srv} })
	}
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		name, id := fmt.Sprint("s", n), aws.String(fmt.Sprint("s", n))
		model := &life{now: w.clock(), at: map[string]*being{}}
		region := rapid.SampledFrom(regions)
		value := rapid.SampledFrom([]string{"a", "b", "c"})
		// failed replicas block deletion as others do, and are forgotten by the model: a
		// primary that has any gets rid of them at once.
		tidy := func(from string) {
			d, err := clients[from].DescribeSecret(t.Context(), &api.DescribeSecretInput{SecretId: id})
			if err != nil {
				return
			}
			for _, r := range d.ReplicationStatus {
				if r.Status == types.StatusTypeFailed {
					must(clients[from].RemoveRegionsFromReplication(t.Context(), &api.RemoveRegionsFromReplicationInput{SecretId: id, RemoveReplicaRegions: []string{*r.Region}}))(t)
				}
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"create": func(rt *rapid.T) {
				r, v := region.Draw(rt, "region"), value.Draw(rt, "value")
				_, err := clients[r].CreateSecret(t.Context(), &api.CreateSecretInput{Name: &name, SecretString: &v})
				agree(rt, model.create(r, v), err)
			},
			"put": func(rt *rapid.T) {
				r, v := region.Draw(rt, "region"), value.Draw(rt, "value")
				_, err := clients[r].PutSecretValue(t.Context(), &api.PutSecretValueInput{SecretId: id, SecretString: &v})
				agree(rt, model.put(r, v), err)
			},
			"replicate": func(rt *rapid.T) {
				from, to, overwrite := region.Draw(rt, "from"), region.Draw(rt, "to"), rapid.Bool().Draw(rt, "overwrite")
				_, err := clients[from].ReplicateSecretToRegions(t.Context(), &api.ReplicateSecretToRegionsInput{
					SecretId: id, AddReplicaRegions: []types.ReplicaRegionType{{Region: &to}}, ForceOverwriteReplicaSecret: overwrite,
				})
				agree(rt, model.replicate(from, to, overwrite), err)
				tidy(from)
			},
			"part": func(rt *rapid.T) {
				from, to := region.Draw(rt, "from"), region.Draw(rt, "to")
				_, err := clients[from].RemoveRegionsFromReplication(t.Context(), &api.RemoveRegionsFromReplicationInput{SecretId: id, RemoveReplicaRegions: []string{to}})
				agree(rt, model.part(from, to), err)
			},
			"promote": func(rt *rapid.T) {
				r := region.Draw(rt, "region")
				_, err := clients[r].StopReplicationToReplica(t.Context(), &api.StopReplicationToReplicaInput{SecretId: id})
				agree(rt, model.promote(r), err)
			},
			"mark": func(rt *rapid.T) {
				r := region.Draw(rt, "region")
				_, err := clients[r].DeleteSecret(t.Context(), &api.DeleteSecretInput{SecretId: id, RecoveryWindowInDays: aws.Int64(7)})
				agree(rt, model.mark(r), err)
			},
			"restore": func(rt *rapid.T) {
				r := region.Draw(rt, "region")
				_, err := clients[r].RestoreSecret(t.Context(), &api.RestoreSecretInput{SecretId: id})
				agree(rt, model.restore(r), err)
			},
			"wait": func(rt *rapid.T) {
				d := time.Duration(rapid.IntRange(1, 5).Draw(rt, "days")) * 24 * time.Hour
				w.pass(d)
				model.now = model.now.Add(d)
				if rapid.Bool().Draw(rt, "sweep") {
					must(0, w.srv.RunDue(t.Context()))(t)
				}
			},
			"": func(rt *rapid.T) {
				for _, r := range regions {
					out, err := clients[r].GetSecretValue(t.Context(), &api.GetSecretValueInput{SecretId: id})
					got := ""
					if err == nil {
						got = *out.SecretString
					}
					var refusal smithy.APIError
					if want := model.readable(r); got != want || err != nil && !errors.As(err, &refusal) {
						rt.Fatalf("in %s it reads %q (%v), want %q", r, got, err, want)
					}
					agreeOnCopies(rt, clients[r], name, model.there(r))
				}
			},
		})
	})
}

// agreeOnCopies compares what DescribeSecret tells of replicas with the model.
func agreeOnCopies(rt *rapid.T, client *api.Client, name string, want *being) {
	d, err := client.DescribeSecret(rt.Context(), &api.DescribeSecretInput{SecretId: &name})
	if err != nil {
		if want != nil {
			rt.Fatalf("it is not described: %v", err)
		}
		return
	}
	var copies []string
	for _, r := range d.ReplicationStatus {
		copies = append(copies, *r.Region)
	}
	if want == nil || !slices.Equal(copies, want.replicas) && len(copies)+len(want.replicas) > 0 {
		rt.Fatalf("it has replicas in %v; the model: %+v", copies, want)
	}
	if primary := aws.ToString(d.PrimaryRegion); want.primary != "" && primary != want.primary || !strings.Contains(*d.ARN, ":secret:"+name+"-") {
		rt.Fatalf("it is a replica from %q, want %q", primary, want.primary)
	}
}
