package forwarder

import (
	"log/slog"
	"time"

	"github.com/rekey-aws/rekey/shared/audit"
	"github.com/rekey-aws/rekey/shared/audit/account"
	"github.com/rekey-aws/rekey/shared/audit/sink"
	"github.com/rekey-aws/rekey/shared/audit/state"
	"github.com/rekey-aws/rekey/shared/audit/state/dynamostate"
	"github.com/rekey-aws/rekey/shared/awsclient"
)

// New makes the forwarder of the function's environment; lookup is os.LookupEnv. Nothing is
// called before the first event. What is wrong is in Misconfigured, and every call fails with
// it.
func New(lookup func(string) (string, bool), log *slog.Logger) *Forwarder {
	f := &Forwarder{Log: log}
	f.Misconfigured = f.build(lookup)
	return f
}

func (f *Forwarder) build(lookup func(string) (string, bool)) error {
	aws, err := awsclient.Read(lookup)
	if err != nil {
		return err
	}
	document, _ := lookup(EnvConfig)
	s, err := Read(document)
	if err != nil {
		return err
	}
	own := account.New(aws, nil)
	f.Account, f.Window, f.LogGroups = own, time.Duration(s.Window), s.LogGroups
	f.DeadLetters, _ = lookup(EnvDeadLetters)
	var records state.Records = &state.Memory{}
	if table, _ := lookup(EnvTable); table != "" {
		records = dynamostate.New(aws, table)
	} else {
		f.Log.Warn(EnvTable + " is not set: each instance remembers for itself, so counts are too low, and alerts may come more than once")
	}
	f.State = state.New(records, nil)
	f.Decoys = NewDecoys(s.Detect.DecoyTag, own)
	var options []audit.Option
	if f.Decoys != nil {
		options = append(options, audit.WithDecoys(f.Decoys.Has))
	}
	if f.Detector, err = audit.NewDetector(s.Detect, f.State, options...); err != nil {
		return wrong(err.Error())
	}
	f.Sinks, err = sinks(s, aws, sink.Options{Secrets: own, Playbooks: s.Playbooks}, f.Log)
	return err
}

// sinks are the log, which has everything, and those of the settings.
func sinks(s Settings, aws awsclient.Settings, o sink.Options, log *slog.Logger) ([]Sink, error) {
	all := []Sink{{Sink: &sink.Log{To: log}, Optional: true}}
	for _, one := range s.Sinks {
		made := Sink{From: one.From, Optional: one.Optional}
		switch {
		case one.SNS != nil:
			made.Sink = sink.NewSNS(one.Name, one.SNS.Topic, aws, o)
		case one.Slack != nil:
			made.Sink = sink.NewSlack(one.Name, one.Slack.Secret, o)
		case one.Teams != nil:
			made.Sink = sink.NewTeams(one.Name, one.Teams.Secret, o)
		case one.PagerDuty != nil:
			made.Sink = sink.NewPagerDuty(one.Name, one.PagerDuty.Secret, o)
		case one.Webhook != nil:
			w, err := sink.NewWebhook(one.Name, one.Webhook.Secret, one.Webhook.Template, one.Webhook.PrivateAddresses, o)
			if err != nil {
				return nil, err
			}
			made.Sink = w
		case one.SecurityHub != nil:
			made.Sink = sink.NewSecurityHub(one.Name, aws, o)
		case one.Firehose != nil:
			made.Sink = sink.NewFirehose(one.Name, one.Firehose.Stream, aws, o)
		}
		all = append(all, made)
	}
	return all, nil
}
