package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What the subjects of two providers look like; a * may stand behind the repository only.
// https://docs.github.com/actions/concepts/security/openid-connect
// https://docs.gitlab.com/ci/cloud_services/aws/
var (
	githubSubject = regexp.MustCompile(`^repo:[A-Za-z0-9_.@-]+/[A-Za-z0-9_.@-]+:[^\s]+$`)
	gitlabSubject = regexp.MustCompile(`^project_path:[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)+:[^\s]+$`)
)

func (c *checker) pipelines() {
	for _, name := range slices.Sorted(maps.Keys(c.Pipelines)) {
		p, at := c.Pipelines[name], path{"pipelines", string(name)}
		if (p.Provider == Other) != (p.Issuer != "") && p.Provider != "" {
			c.wrong(at, "issuer is for provider: other, and needed there", "add it, or remove it")
		}
		if len(p.Subjects) == 0 {
			c.wrong(at, "it lets nobody in", "add subjects:")
		}
		for i, s := range p.Subjects {
			c.subject(at.to("subjects", strconv.Itoa(i)), p.Provider, s)
		}
		c.arn(at.to("identityProvider"), p.IdentityProvider, "iam", "oidc-provider/", "")
	}
}

func (c *checker) subject(at path, provider PipelineProvider, s string) {
	form, example := (*regexp.Regexp)(nil), "the claim sub without a *"
	switch provider {
	case GitHub:
		form, example = githubSubject, "repo:OWNER/REPOSITORY:ref:refs/heads/main, or …:environment:NAME"
	case GitLab:
		form, example = gitlabSubject, "project_path:GROUP/PROJECT:ref_type:branch:ref:main"
	}
	switch {
	case s == "":
	case form == nil && strings.ContainsAny(s, "*?"):
		c.wrong(at, "a wildcard may let in others", "use "+example)
	case form != nil && !form.MatchString(s):
		c.wrong(at, "it does not name one repository", "use "+example)
	}
}

func (c *checker) alerts() {
	for _, name := range slices.Sorted(maps.Keys(c.Alerts.Destinations)) {
		d, at := c.Alerts.Destinations[name], path{"alerts", "destinations", string(name)}
		kinds := d.kinds()
		if len(kinds) != 1 {
			what := "it says not where to"
			if len(kinds) > 1 {
				what = strings.Join(kinds, " and ") + " are in one destination"
			}
			c.wrong(at, what, "use one of sns, email, slack, teams, pagerDuty, webhook, securityHub, firehose")
		}
		if d.SNS != nil {
			c.arn(at.to("sns", "topic"), d.SNS.Topic, "sns", "", c.Regions.Primary)
			c.arn(at.to("sns", "key"), d.SNS.Key, "kms", "key/", c.Regions.Primary)
		}
		for kind, s := range map[string]*Sealed{"slack": d.Slack, "teams": d.Teams, "pagerDuty": d.PagerDuty, "webhook": d.Webhook} {
			if s != nil {
				c.secretARN(at.to(kind, "secret"), s.Secret)
				c.arn(at.to(kind, "key"), s.Key, "kms", "key/", c.Regions.Primary)
			}
		}
		if d.Firehose != nil {
			c.arn(at.to("firehose", "stream"), d.Firehose.Stream, "firehose", "deliverystream/", c.Regions.Primary)
		}
	}
}

func (d Destination) kinds() []string {
	var all []string
	for kind, there := range map[string]bool{
		"sns": d.SNS != nil, "email": d.Email != nil, "slack": d.Slack != nil, "teams": d.Teams != nil, "pagerDuty": d.PagerDuty != nil,
		"webhook": d.Webhook != nil, "securityHub": d.SecurityHub != nil, "firehose": d.Firehose != nil,
	} {
		if there {
			all = append(all, kind)
		}
	}
	slices.Sort(all)
	return all
}

func (c *checker) audit() {
	at, t := path{"audit", "trail"}, c.Audit.Trail
	if t.Existing != nil {
		c.arn(at.to("existing", "trail"), t.Existing.Trail, "cloudtrail", "trail/", "")
		for _, key := range []string{"retention", "objectLock"} {
			if c.said(at.to(key)) {
				c.wrong(at.to(key), "the trail exists, and its bucket is not ours", "remove it, or existing")
			}
		}
		return
	}
	day := 24 * time.Hour
	if kept := t.Retention.Time(); kept < 90*day {
		c.wrong(at.to("retention"), "records are kept for at least 90 days", "use 90d or more; PCI DSS asks for a year")
	} else if t.ObjectLock != nil && time.Duration(t.ObjectLock.Days)*day > kept {
		c.wrong(at.to("objectLock", "days"), fmt.Sprintf("records are locked for %d days and deleted after %s", t.ObjectLock.Days, t.Retention), "lock them no longer than they are kept")
	}
}

func (c *checker) functions() {
	at := path{"functions"}
	for name, f := range map[string]Function{
		RotateRDS: c.Functions.RotateRDS.Function, RotateRedshift: c.Functions.RotateRedshift.Function,
		RotateAPIKey: c.Functions.RotateAPIKey.Function, AuditForwarder: c.Functions.AuditForwarder,
	} {
		if d := f.Timeout.Time(); d < 10*time.Second || d > 15*time.Minute {
			c.wrong(at.to(name, "timeout"), "Lambda ends a function after 15 minutes, and a step needs its time", "use 10s to 15m")
		}
		if n := f.ReservedConcurrency; n > 0 && n < 10 {
			c.wrong(at.to(name, "reservedConcurrency"), fmt.Sprintf("with %d at once, rotations of several secrets are throttled", n), "use at least 10, or 0")
		}
	}
	ask, asking := c.Functions.RotateAPIKey.Ask, at.to(RotateAPIKey, "ask")
	c.arn(asking.to("eventBus"), ask.EventBus, "events", "event-bus/", c.Regions.Primary)
	c.arn(asking.to("topic"), ask.Topic, "sns", "", c.Regions.Primary)
	c.arn(asking.to("topicKey"), ask.TopicKey, "kms", "key/", c.Regions.Primary)
	if ask.TopicKey != "" && ask.Topic == "" {
		c.wrong(asking.to("topicKey"), "there is no topic that it could encrypt", "remove it, or add topic")
	}
	c.arn(at.to("codeSigning"), c.Functions.CodeSigning, "signer", "/signing-profiles/", c.Regions.Primary)
	if len(c.Functions.PlaintextHosts) > 0 {
		for _, p := range c.Compliance.Packs {
			if p != PackAWSSolutions {
				c.wrong(at.to("plaintextHosts"), fmt.Sprintf("%s asks for encryption in transit", p), "remove the hosts, or the pack")
			}
		}
	}
}

func (c *checker) removal() {
	r := c.Removal
	if r.Keys == Delete && c.Encryption.Key == "" && (r.Secrets == Retain || r.Records == Retain) {
		c.wrong(path{"removal", "keys"}, "secrets or records that are retained cannot be read without their key", "retain the key too, or delete all three")
	}
}
