package forwarder

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/rekey-aws/rekey/shared/audit"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// The variables of the function's environment. None holds a secret.
const (
	// EnvConfig is the document of [Settings]: itself, if it begins with {, or else the path of
	// a file in the function's package or a layer. A function's variables hold 4 KB together.
	EnvConfig = "CONFIG"
	// EnvTable names the DynamoDB table that keeps the state; package dynamostate has
	// its form. Without it each instance remembers for itself, and says so in its log.
	EnvTable = "STATE_TABLE"
	// EnvDeadLetters is the URL of the SQS queue that gets what is no event, with the reason.
	// Without it such an input fails, and whatever invoked the function keeps it.
	EnvDeadLetters = "DEAD_LETTERS"
)

// Settings are what the function is told, as one document of JSON without secrets: addresses
// and keys of sinks are in Secrets Manager.
type Settings struct {
	// Detect is what is ordinary in the account; see [audit.Config].
	Detect audit.Config `json:"detect,omitzero"`
	// Sinks are those that are told. Without any, findings are in the log and the metrics only.
	Sinks []SinkSettings `json:"sinks,omitempty"`
	// Window is the time in which equal findings are one alert with a count; 10m if not given.
	Window audit.Duration `json:"window,omitzero"`
	// Playbooks is where the pages of docs/playbooks are read, with a slash at its end.
	Playbooks string `json:"playbooks,omitempty"`
	// LogGroups are those of rotation functions, by the function's name, where they are not
	// /aws/lambda/NAME.
	LogGroups map[string]string `json:"logGroups,omitempty"`
}

// SinkSettings are one sink's: one of the kinds, and who is told of what.
type SinkSettings struct {
	// Name tells sinks apart in the log. What a sink has got is remembered by its name.
	Name string `json:"name"`
	// From is the least severity that it is told of; every one if not given.
	From audit.Severity `json:"from,omitempty"`
	// Optional: an event is done with also when this sink could not be told. Else it is tried
	// again until the sink has it, or it goes to the dead letters.
	Optional bool `json:"optional,omitempty"`

	SNS         *TopicSettings       `json:"sns,omitempty"`
	Slack       *ChatSettings        `json:"slack,omitempty"`
	Teams       *ChatSettings        `json:"teams,omitempty"`
	PagerDuty   *ChatSettings        `json:"pagerDuty,omitempty"`
	Webhook     *WebhookSettings     `json:"webhook,omitempty"`
	SecurityHub *SecurityHubSettings `json:"securityHub,omitempty"`
	Firehose    *StreamSettings      `json:"firehose,omitempty"`
}

// TopicSettings name an SNS topic, FIFO or not, in the function's Region.
type TopicSettings struct {
	Topic string `json:"topic"` // its ARN
}

// ChatSettings name the secret of a Slack or Teams webhook, whose value is {"url": "https://…"},
// or of a PagerDuty service: {"routingKey": "…"}, and for its EU region also
// "url": "https://events.eu.pagerduty.com/v2/enqueue".
type ChatSettings struct {
	Secret string `json:"secret"` // its ARN or name
}

// WebhookSettings name the secret of a webhook of one's own, whose value is
// {"url": "https://…", "key": "whsec_…"}.
type WebhookSettings struct {
	Secret string `json:"secret"` // its ARN or name
	// Template is a jq program that makes the body from a finding; the finding itself if not
	// given.
	Template string `json:"template,omitempty"`
	// PrivateAddresses allows a receiver inside a VPC or on the own machine, http too.
	PrivateAddresses bool `json:"privateAddresses,omitempty"`
}

// SecurityHubSettings has no settings: write {}.
type SecurityHubSettings struct{}

// StreamSettings name a Firehose stream, which gets OCSF.
type StreamSettings struct {
	Stream string `json:"stream"` // its name
}

// defaultWindow is long enough for a storm, short enough to be told of the next.
const defaultWindow = 10 * time.Minute

// Read reads the document that [EnvConfig] holds or names; without one it is empty. Errors are
// rotation.ErrConfig and say what to do.
func Read(value string) (Settings, error) {
	document := []byte(value)
	if value = strings.TrimSpace(value); value != "" && value[0] != '{' {
		var err error
		if document, err = os.ReadFile(value); err != nil {
			return Settings{}, wrong("is neither a JSON object nor a file that can be read")
		}
	}
	s := Settings{Window: audit.Duration(defaultWindow)}
	if value == "" {
		return s, nil
	}
	d := json.NewDecoder(bytes.NewReader(document))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return Settings{}, wrong(strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Settings{}, wrong("there is more after the JSON object")
	}
	return s, s.Validate()
}

func wrong(what string) error {
	return rotation.WithHint(fmt.Errorf("reading %s: %s: %w", EnvConfig, what, rotation.ErrConfig),
		"Correct the function's configuration as docs/alerts.md says.")
}

// form is what a text must be. It is compiled when there is one to check, and its length is
// no repetition in the expression: a function's start is waited for.
type form struct {
	pattern string
	longest int // bytes
}

var (
	sinkName  = form{`^[A-Za-z0-9_-]+$`, 64}
	topicARN  = form{`^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+(\.fifo)?$`, 2048}
	stream    = form{`^[a-zA-Z0-9_.-]+$`, 64}
	secretID  = form{`^[A-Za-z0-9/_+=.@:!-]+$`, 2048}
	playbooks = form{`^https://[!-~]+/$`, 2048}
	logGroup  = form{`^[.\-_/#A-Za-z0-9]+$`, 512}
	versionID = form{`^[A-Za-z0-9-]{32,}$`, 64} // of a rotation; it goes into a filter pattern
)

func (f form) fits(text string) bool {
	return len(text) <= f.longest && regexp.MustCompile(f.pattern).MatchString(text)
}

// Validate says what is wrong, all of it.
func (s *Settings) Validate() error {
	problems := []error{s.Detect.Validate()}
	refuse := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if d := time.Duration(s.Window); d < time.Second || d > 24*time.Hour {
		refuse("window: %s is not between 1s and 24h", d)
	}
	if s.Playbooks != "" && !playbooks.fits(s.Playbooks) {
		refuse("playbooks: %q is no https address that ends with a slash", s.Playbooks)
	}
	for function, group := range s.LogGroups {
		if !logGroup.fits(group) {
			refuse("logGroups: %s: %q is no log group", function, group)
		}
	}
	seen := map[string]bool{}
	for n, one := range s.Sinks {
		switch {
		case !sinkName.fits(one.Name):
			refuse("sinks[%d].name: give 1 to 64 letters, digits, hyphens and underscores", n)
		case seen[one.Name]:
			refuse("sinks[%d].name: %s is the name of another sink", n, one.Name)
		}
		seen[one.Name] = true
		if why := one.problem(); why != "" {
			refuse("sinks[%d] (%s): %s", n, one.Name, why)
		}
	}
	if err := errors.Join(problems...); err != nil {
		return wrong(strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return nil
}

// problem is what is wrong with a sink's kind; templates are tried when the sink is made.
func (s *SinkSettings) problem() string {
	kinds, why := 0, ""
	check := func(wanted form, value, complaint string) {
		kinds++
		if !wanted.fits(value) {
			why = complaint
		}
	}
	const noSecret = "secret: give the ARN or the name of a secret"
	if s.SNS != nil {
		check(topicARN, s.SNS.Topic, "topic: give the ARN of an SNS topic")
	}
	for _, c := range []*ChatSettings{s.Slack, s.Teams, s.PagerDuty} {
		if c != nil {
			check(secretID, c.Secret, noSecret)
		}
	}
	if s.Webhook != nil {
		check(secretID, s.Webhook.Secret, noSecret)
	}
	if s.Firehose != nil {
		check(stream, s.Firehose.Stream, "stream: give the name of a Firehose stream")
	}
	if s.SecurityHub != nil {
		kinds++
	}
	if kinds != 1 {
		return "give one of sns, slack, teams, pagerDuty, webhook, securityHub, firehose"
	}
	return why
}
