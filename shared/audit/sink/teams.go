package sink

import (
	"encoding/json"
	"strings"
)

// Teams posts an Adaptive Card to a workflow's webhook ("Post to a channel when a webhook
// request is received"):
// https://support.microsoft.com/office/create-incoming-webhooks-with-workflows-for-microsoft-teams-8ae491c7-0394-4861-ba59-055e33f75498
type Teams struct{ chat }

// NewTeams makes the sink; the secret's value is {"url": "https://…"}.
func NewTeams(name, secret string, o Options) *Teams {
	return &Teams{newChat(name, secret, o, teamsBody)}
}

// The elements of a card: https://adaptivecards.io/explorer/
type cardElement struct {
	Type   string     `json:"type"`
	Text   string     `json:"text,omitempty"`
	Size   string     `json:"size,omitempty"`
	Weight string     `json:"weight,omitempty"`
	Color  string     `json:"color,omitempty"`
	Wrap   bool       `json:"wrap,omitempty"`
	Subtle bool       `json:"isSubtle,omitempty"`
	Facts  []cardFact `json:"facts,omitempty"`
}

type cardFact struct {
	Title string `json:"title"`
	Value string `json:"value"`
}

type cardAction struct {
	Type  string `json:"type"`
	Title string `json:"title"`
	URL   string `json:"url"`
}

type card struct {
	Schema  string        `json:"$schema"`
	Type    string        `json:"type"`
	Version string        `json:"version"`
	Body    []cardElement `json:"body"`
	Actions []cardAction  `json:"actions,omitempty"`
}

// cardColours are the names that cards have for those of severities.
var cardColours = [...]string{"default", "accent", "warning", "warning", "attention"}

// A message may have 28 KB
// (https://learn.microsoft.com/microsoftteams/limits-specifications-teams); the longest one
// that is made here has half of it, since every fact is clipped.
func teamsBody(m Message) ([]byte, error) {
	colour := cardColours[m.Severity]
	if m.Over {
		colour = "good"
	}
	text := func(s string) cardElement {
		return cardElement{Type: "TextBlock", Text: cardEscape(clip(s, 2000)), Wrap: true}
	}
	title := text(m.Title)
	title.Size, title.Weight, title.Color = "large", "bolder", colour
	facts := cardElement{Type: "FactSet"}
	for _, f := range append([]Fact{{"Severity", m.label()}}, m.Facts...) {
		facts.Facts = append(facts.Facts, cardFact{f.Name, cardEscape(f.Text)})
	}
	body := []cardElement{title, text(m.What), facts, text("Why it matters: " + m.Why)}
	if !m.Over {
		body = append(body, text("What to do: "+m.Do))
	}
	for _, n := range m.Notes {
		note := text(n)
		note.Subtle = true
		body = append(body, note)
	}
	var actions []cardAction
	for _, link := range []struct{ title, url string }{{"Playbook", m.Playbook}, {"Console", m.Console}} {
		if link.url != "" {
			actions = append(actions, cardAction{"Action.OpenUrl", link.title, link.url})
		}
	}
	type attachment struct {
		ContentType string  `json:"contentType"`
		ContentURL  *string `json:"contentUrl"`
		Content     card    `json:"content"`
	}
	return json.Marshal(struct {
		Type        string       `json:"type"`
		Attachments []attachment `json:"attachments"`
	}{"message", []attachment{{
		"application/vnd.microsoft.card.adaptive", nil,
		card{"http://adaptivecards.io/schemas/adaptive-card.json", "AdaptiveCard", "1.4", body, actions},
	}}})
}

// cardEscape keeps a text from making a link, which is the part of Markdown in cards that
// could deceive.
func cardEscape(s string) string {
	return strings.NewReplacer(`\`, `\\`, "[", `\[`, "]", `\]`).Replace(s)
}
