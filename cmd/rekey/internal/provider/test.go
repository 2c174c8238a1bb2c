package provider

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal"
	"github.com/rekey-aws/rekey/shared/apikey"
	"github.com/rekey-aws/rekey/shared/apikey/declarative"
	"github.com/rekey-aws/rekey/shared/apikey/outbound"
	"github.com/rekey-aws/rekey/shared/apikey/providers"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// TestCommand is rekey provider test.
type TestCommand struct {
	File         string   `arg:"" help:"The provider's YAML file, or the name of one that ships."`
	Recording    string   `help:"Answer from a recording (YAML) instead of the vendor. It holds the secrets too." placeholder:"FILE" xor:"where"`
	Secret       string   `help:"The secret's JSON document; - is standard input. With it the vendor itself is asked." placeholder:"FILE" xor:"where"`
	Admin        string   `help:"The JSON document of the administrator's secret; - is standard input." placeholder:"FILE"`
	Issue        bool     `help:"Also issue a key, use it, and revoke it. Only where the old key lives on."`
	Record       string   `help:"Write what the vendor answers as a recording, with the secrets replaced." placeholder:"FILE"`
	PrivateHosts []string `help:"Hosts whose addresses may be private." placeholder:"HOST"`
	Verbose      bool     `short:"v" help:"Show requests and answers whole, with everything secret removed."`
	JSON         bool     `name:"json" help:"Print one JSON object a line, for each step and each request."`

	vendor declarative.Sender // of tests, in place of the network
}

// errTrial ends the command after it said everything.
var errTrial = errors.New("the provider did not do what its file says")

// Run checks the file and tries it out.
func (c *TestCommand) Run(ctx context.Context, out io.Writer, screen *terminal.Terminal) error {
	name, content, err := c.content()
	if err != nil {
		return err
	}
	file, err := declarative.Read(name, content)
	if err != nil {
		return fmt.Errorf("%s is no provider:\n%w", name, err)
	}
	e := &explainer{screen: screen, out: out, json: c.JSON, verbose: c.Verbose}
	e.file(file)
	switch {
	case c.Recording != "":
		return c.replay(ctx, e, name, content)
	case c.Secret != "":
		return c.live(ctx, e, name, content)
	case c.Admin != "" || c.Issue || c.Record != "":
		return errors.New("--admin, --issue and --record need --secret")
	}
	e.outline(file)
	return e.err()
}

// content is the file's; a name without a suffix is a provider that ships.
func (c *TestCommand) content() (name string, content []byte, err error) {
	if !strings.ContainsAny(c.File, `./\`) {
		name = c.File + ".yaml"
		if content, err = fs.ReadFile(providers.Files, name); err == nil {
			return name, content, nil
		}
		return "", nil, fmt.Errorf("there is no provider %q; give the path of a file, or a name from rekey provider list", c.File)
	}
	content, err = os.ReadFile(c.File)
	return filepath.Base(c.File), content, err
}

// live asks the vendor.
func (c *TestCommand) live(ctx context.Context, e *explainer, name string, content []byte) error {
	if c.Secret == "-" && c.Admin == "-" {
		return errors.New("standard input can hold one of --secret and --admin")
	}
	secret, err := document(c.Secret)
	if err != nil {
		return err
	}
	admin, err := document(c.Admin)
	if err != nil {
		return err
	}
	tape := &tape{Sender: c.vendor}
	if c.vendor == nil {
		tape.Sender = outbound.New(outbound.Options{PrivateHosts: c.PrivateHosts, Proxy: http.ProxyFromEnvironment})
	}
	p, err := declarative.New(name, content, declarative.Config{Client: tape, Trace: e.exchange})
	if err != nil {
		return err
	}
	// Vendors who know idempotency keys would answer a second try with the first one's key.
	order := apikey.Order{Name: testName + "-" + strings.ToLower(rand.Text()[:8]), Idempotency: hex.EncodeToString([]byte(rand.Text())[:16])}
	t := &trial{provider: p, explain: e, order: order, issue: c.Issue}
	failed := t.run(ctx, secret, admin)
	if c.Record != "" {
		if err := tape.write(c.Record, p.File(), secret, admin, order.Name); err != nil {
			return errors.Join(failed, err)
		}
		e.say("recorded in " + c.Record + ": look through it before you give it to anyone")
	}
	return errors.Join(failed, e.err())
}

// document reads a secret from a file or standard input; empty for no name.
func document(name string) (rotation.Value, error) {
	var content []byte
	var err error
	switch name {
	case "":
		return rotation.Value{}, nil
	case "-":
		content, err = io.ReadAll(io.LimitReader(os.Stdin, rotation.MaxValueSize+1))
	default:
		content, err = os.ReadFile(name)
	}
	return rotation.TextValue(string(content)), err
}

// replay answers from a recording. Time passes when somebody waits.
func (c *TestCommand) replay(ctx context.Context, e *explainer, name string, content []byte) error {
	r, err := readRecording(c.Recording)
	if err != nil {
		return err
	}
	now := time.Now()
	player := &player{left: r.Exchanges}
	p, err := declarative.New(name, content, declarative.Config{
		Client: player, Trace: e.exchange, Now: func() time.Time { return now },
		Sleep: func(_ context.Context, d time.Duration) bool { now = now.Add(d); return true },
	})
	if err != nil {
		return err
	}
	order := apikey.Order{Name: testName, Idempotency: strings.Repeat("0", 32)}
	t := &trial{provider: p, explain: e, order: order, issue: r.issues(p.File()), recorded: true}
	failed := t.run(ctx, r.document(r.Secret), r.document(r.Admin))
	if failed == nil && len(player.left) > 0 {
		failed = fmt.Errorf("the recording has %s that nobody asked for, from %s", terminal.Count(len(player.left), "exchange"), player.left[0].Request)
	}
	return errors.Join(failed, e.err())
}

// trial is one try of a provider.
type trial struct {
	provider *declarative.Provider
	explain  *explainer
	order    apikey.Order
	issue    bool
	recorded bool
}

// Provider implements [apikey.Directory].
func (t *trial) Provider(name string) (apikey.Provider, error) {
	if own := t.provider.File().Provider; name != own {
		return nil, fmt.Errorf(`"provider" of the secret is %q, and the file is about %q: %w`, name, own, rotation.ErrConfig)
	}
	return t.provider, nil
}

// run does what a rotation would, as far as nothing is lost by it.
func (t *trial) run(ctx context.Context, secret, admin rotation.Value) error {
	a, err := apikey.ReadAccount(t, secret, admin)
	if err != nil {
		return t.explain.failure("reading the secret", err)
	}
	traits := t.provider.Traits()
	if traits.Lists {
		if _, err := t.list(ctx, a, "list the keys"); err != nil {
			return err
		}
	}
	if len(a.Current.Material) > 0 {
		if err := t.step("check the current key", t.provider.Check(ctx, a, a.Current), "it works"); err != nil {
			return err
		}
	}
	switch {
	case !t.issue:
		return nil
	case traits.Class == apikey.Assisted:
		t.explain.say("a person issues keys of this vendor")
		return nil
	case !t.recorded && (traits.Class != apikey.Dual || traits.Once || traits.Chosen || !traits.Revokes):
		return fmt.Errorf("--issue would end the key of the secret, or leave one behind: try a provider of class %s on a recording, or by rotating a secret", traits.Class)
	}
	return t.roundTrip(ctx, a)
}

// testName is what keys are called that are issued to be ended.
const testName = "rekey-provider-test"

// roundTrip issues a key and ends it.
func (t *trial) roundTrip(ctx context.Context, a apikey.Account) error {
	traits := t.provider.Traits()
	if t.provider.Probes() {
		unused, err := t.provider.Unused(ctx, a)
		if err := t.step("ask whether the current credential is unused", err, fmt.Sprint(unused)); err != nil {
			return err
		}
	}
	k, err := t.provider.Issue(ctx, a, t.order)
	if failed := t.step("issue a key", err, issued(k)); failed != nil {
		if !t.recorded && !errors.Is(err, apikey.ErrNotSent) {
			t.explain.say("if the vendor has a key called " + t.order.Name + " now, revoke it by hand")
		}
		return failed
	}
	if traits.Chosen {
		if err := t.step("make it valid at the vendor", t.provider.Install(ctx, a, k), "done"); err != nil {
			return err
		}
	}
	if err := t.step("check the new key", t.provider.Check(ctx, a, k), "it works"); err != nil {
		return errors.Join(err, t.cleanUp(ctx, a, k))
	}
	if traits.Lists && traits.Revokes {
		return t.end(ctx, a, k)
	}
	return nil
}

// end revokes the key that was issued, and looks whether that is true.
func (t *trial) end(ctx context.Context, a apikey.Account, k apikey.Key) error {
	found, err := t.list(ctx, a, "find it in the list", k.ID)
	if err != nil {
		return errors.Join(err, t.cleanUp(ctx, a, k))
	}
	if found == nil {
		return errors.Join(t.explain.failure("find it in the list", errors.New("the list does not have it: look at items, id and next")), t.cleanUp(ctx, a, k))
	}
	if t.provider.Traits().Named && found.Name != k.Name {
		return errors.Join(t.explain.failure("find it in the list", errors.New("the list has it under another name: look at the name in issue and list")), t.cleanUp(ctx, a, k))
	}
	if err := t.step("revoke it", t.provider.Revoke(ctx, a, k), "done"); err != nil {
		return errors.Join(err, t.cleanUp(ctx, a, k))
	}
	if err := t.step("revoke it once more, as after a lost answer", t.provider.Revoke(ctx, a, k), "still fine"); err != nil {
		return err
	}
	found, err = t.list(ctx, a, "look whether it is gone", k.ID)
	if err == nil && found != nil && !found.Inactive {
		t.explain.say("the list still has it: the vendor forgets later, or the key was not revoked")
	}
	return err
}

// cleanUp ends a key that a try which failed has issued, or tells what a person has to end.
func (t *trial) cleanUp(ctx context.Context, a apikey.Account, k apikey.Key) error {
	if t.recorded {
		return nil
	}
	if err := t.provider.Revoke(context.WithoutCancel(ctx), a, k); err != nil {
		return fmt.Errorf("the key %s that was issued (%s) could not be revoked: revoke it by hand", k.ID, k.Name)
	}
	t.explain.success("revoke the key that was issued", "done")
	return nil
}

// list tells how many keys there are, and finds one.
func (t *trial) list(ctx context.Context, a apikey.Account, what string, id ...string) (*apikey.Key, error) {
	keys, err := t.provider.List(ctx, a)
	if err := t.step(what, err, terminal.Count(len(keys), "key")); err != nil {
		return nil, err
	}
	for i, k := range keys {
		if len(id) > 0 && k.ID == id[0] {
			return &keys[i], nil
		}
	}
	return nil, nil
}

func (t *trial) step(what string, err error, result string) error {
	if err != nil {
		return t.explain.failure(what, err)
	}
	t.explain.success(what, result)
	return nil
}

// issued is what may be told of a key.
func issued(k apikey.Key) string {
	if k.ID != "" {
		return "it has the id " + k.ID
	}
	return "done"
}
