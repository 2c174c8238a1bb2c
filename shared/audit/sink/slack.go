package sink

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/rekey-aws/rekey/shared/audit"
)

// Slack posts to an incoming webhook:
// https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
type Slack struct{ chat }

// NewSlack makes the sink; the secret's value is {"url": "https://hooks.slack.com/…"}.
func NewSlack(name, secret string, o Options) *Slack {
	return &Slack{newChat(name, secret, o, slackBody)}
}

// chat is what Slack and Teams have in common.
type chat struct {
	poster
	secret    string
	secrets   Secrets
	playbooks string
	body      func(Message) ([]byte, error)
}

func newChat(name, secret string, o Options, body func(Message) ([]byte, error)) chat {
	return chat{poster: o.poster(name, false), secret: secret, secrets: o.Secrets, playbooks: o.Playbooks, body: body}
}

// Name is as in [audit.Sink].
func (c *chat) Name() string { return c.sink }

// Deliver posts a message for each finding, and stops at the first that is not accepted.
func (c *chat) Deliver(ctx context.Context, findings []audit.Finding) error {
	for _, f := range findings {
		body, err := c.body(Describe(f, c.playbooks))
		if err != nil {
			return err
		}
		err = c.send(ctx, func(anew bool) (message, error) {
			a, err := open(ctx, c.secrets, c.secret, anew)
			if err != nil {
				return message{}, err
			}
			to, err := a.target(false)
			return message{to: to, body: body}, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// colours are those of severities, from informational to critical.
var colours = [...]string{"#6b7280", "#2563eb", "#d97706", "#ea580c", "#b91c1c"}

const green = "#15803d"

func (m Message) colour() string {
	if m.Over {
		return green
	}
	return colours[m.Severity]
}

// The limits of blocks: https://docs.slack.dev/reference/block-kit/blocks
const (
	slackHeader  = 150
	slackSection = 3000
	slackField   = 2000
	slackFields  = 10
)

type slackText struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

type slackBlock struct {
	Type     string      `json:"type"`
	Text     *slackText  `json:"text,omitempty"`
	Fields   []slackText `json:"fields,omitempty"`
	Elements []slackText `json:"elements,omitempty"`
}

func slackBody(m Message) ([]byte, error) {
	section := func(text string) slackBlock {
		return slackBlock{Type: "section", Text: &slackText{"mrkdwn", clip(text, slackSection)}}
	}
	blocks := []slackBlock{
		{Type: "header", Text: &slackText{"plain_text", clip(m.Title, slackHeader)}},
		section(slackEscape(m.What)),
	}
	var fields []slackText
	for _, f := range m.Facts {
		fields = append(fields, slackText{"mrkdwn", clip("*"+f.Name+"*\n"+slackEscape(f.Text), slackField)})
	}
	for len(fields) > 0 {
		n := min(len(fields), slackFields)
		blocks = append(blocks, slackBlock{Type: "section", Fields: fields[:n]})
		fields = fields[n:]
	}
	blocks = append(blocks, section("*Why it matters*\n"+slackEscape(m.Why)))
	if !m.Over {
		blocks = append(blocks, section("*What to do*\n"+slackEscape(m.Do)))
	}
	for _, n := range m.Notes {
		blocks = append(blocks, section("_"+slackEscape(n)+"_"))
	}
	last := "rekey · " + m.label()
	if m.Playbook != "" {
		last += " · <" + m.Playbook + "|Playbook>"
	}
	if m.Console != "" {
		last += " · <" + slackEscape(m.Console) + "|Console>"
	}
	blocks = append(blocks, slackBlock{Type: "context", Elements: []slackText{{"mrkdwn", last}}})
	type attachment struct {
		Color    string       `json:"color"`
		Fallback string       `json:"fallback"` // in notifications
		Blocks   []slackBlock `json:"blocks"`
	}
	return json.Marshal(struct {
		Attachments []attachment `json:"attachments"` // for their colour
	}{[]attachment{{m.colour(), m.Title + " [" + m.label() + "]", blocks}}})
}

// slackEscape keeps a text from being markup, a link or a mention of a channel:
// https://docs.slack.dev/messaging/formatting-message-text#escaping
func slackEscape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}
