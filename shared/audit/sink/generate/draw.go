package main

import (
	"encoding/json"
	"fmt"
	"html"
	"regexp"
	"strings"
)

var slackLink = regexp.MustCompile(`<[^|>]+\|([^>]+)>`)

// plain is mrkdwn without its marks.
func plain(s string) string {
	return html.UnescapeString(slackLink.ReplaceAllString(s, "$1"))
}

// drawSlack draws a message of blocks.
func drawSlack(payload []byte) ([]byte, error) {
	type text struct{ Text string }
	var m struct {
		Attachments []struct {
			Color, Fallback string
			Blocks          []struct {
				Type             string
				Text             text
				Fields, Elements []text
			}
		}
	}
	if err := json.Unmarshal(payload, &m); err != nil {
		return nil, err
	}
	c := &canvas{y: 8}
	for _, b := range m.Attachments[0].Blocks {
		switch {
		case b.Type == "header":
			c.paragraph(style{20, true, "#111827"}, b.Text.Text)
		case b.Type == "section" && len(b.Fields) > 0:
			fields := make([][2]string, len(b.Fields))
			for n, f := range b.Fields {
				name, value, _ := strings.Cut(f.Text, "\n")
				fields[n] = [2]string{strings.Trim(name, "*"), plain(value)}
			}
			c.pairs(fields)
		case b.Type == "section":
			head, rest, titled := strings.Cut(b.Text.Text, "\n")
			if titled && strings.HasPrefix(head, "*") {
				bold := body
				bold.bold = true
				c.paragraph(bold, strings.Trim(head, "*"))
			} else {
				rest = b.Text.Text
			}
			c.paragraph(body, plain(rest))
		case b.Type == "context":
			c.paragraph(link, plain(b.Elements[0].Text))
		default:
			return nil, fmt.Errorf("blocks of type %q are not known", b.Type)
		}
		c.space(10)
	}
	return c.picture("Slack: "+m.Attachments[0].Fallback, m.Attachments[0].Color), nil
}

// pairs writes fields in two columns, as Slack does.
func (c *canvas) pairs(fields [][2]string) {
	const column = inner / 2
	bold := body
	bold.bold = true
	for n := 0; n < len(fields); n += 2 {
		lowest := c.y
		for side, f := range fields[n:min(n+2, len(fields))] {
			x := margin + side*column
			y := c.words(x, c.y, column-16, bold, f[0])
			lowest = max(lowest, c.words(x, y, column-16, body, f[1]))
		}
		c.y = lowest + 6
	}
}

// The colours of cards by their names in a light theme.
var cardColours = map[string]string{
	"": "#1f2937", "default": "#1f2937", "accent": "#2563eb", "good": "#15803d", "warning": "#b45309", "attention": "#b91c1c",
}

// drawTeams draws an Adaptive Card.
func drawTeams(payload []byte) ([]byte, error) {
	var m struct {
		Attachments []struct {
			Content struct {
				Body []struct {
					Type, Text, Color, Weight string
					Facts                     []struct{ Title, Value string }
				}
				Actions []struct{ Title string }
			}
		}
	}
	if err := json.Unmarshal(payload, &m); err != nil {
		return nil, err
	}
	content := m.Attachments[0].Content
	c := &canvas{y: 8}
	for _, e := range content.Body {
		switch e.Type {
		case "TextBlock":
			s := body
			if e.Weight == "bolder" {
				s = style{20, true, cardColours[e.Color]}
			}
			c.paragraph(s, unmarked(e.Text))
		case "FactSet":
			bold := body
			bold.bold = true
			for _, f := range e.Facts {
				c.words(margin, c.y, 120, bold, f.Title)
				c.y = c.words(margin+130, c.y, inner-130, body, unmarked(f.Value))
			}
		default:
			return nil, fmt.Errorf("elements of type %q are not known", e.Type)
		}
		c.space(10)
	}
	x := margin
	for _, a := range content.Actions {
		fmt.Fprintf(&c.out, `<rect x="%d" y="%d" width="110" height="30" rx="4" fill="none" stroke="#9ca3af"/>`+"\n", x, c.y+4)
		c.line(x+24, c.y+24, style{14, true, "#374151"}, a.Title)
		x += 122
	}
	c.space(34)
	return c.picture("Teams: "+unmarked(content.Body[0].Text), cardColours[content.Body[0].Color]), nil
}

// unmarked is Markdown without its escapes.
func unmarked(s string) string {
	return strings.NewReplacer(`\\`, `\`, `\[`, "[", `\]`, "]").Replace(s)
}
