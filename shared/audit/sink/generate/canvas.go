package main

import (
	"bytes"
	"fmt"
	"html"
	"strings"
)

// The measures of a picture, in pixels.
const (
	width  = 720
	margin = 24
	inner  = width - 2*margin
)

// canvas is a column of text that grows downwards.
type canvas struct {
	out bytes.Buffer
	y   int
}

// style is how a text looks.
type style struct {
	size   int
	bold   bool
	colour string
}

var (
	body = style{14, false, "#1f2937"}
	link = style{12, false, "#1d4ed8"}
)

// words writes a text into a column, wrapped, and returns how far down it goes. Characters are
// taken for a bit wider than they are.
func (c *canvas) words(x, y, wide int, s style, text string) int {
	perLine := wide * 100 / (s.size * 54)
	if s.bold {
		perLine = perLine * 92 / 100
	}
	for _, line := range wrap(text, perLine) {
		y += s.size + 6
		c.line(x, y, s, line)
	}
	return y
}

func (c *canvas) line(x, y int, s style, text string) {
	weight := ""
	if s.bold {
		weight = ` font-weight="bold"`
	}
	fmt.Fprintf(&c.out, "<text x=\"%d\" y=\"%d\" font-size=\"%d\" fill=\"%s\"%s>%s</text>\n", x, y, s.size, s.colour, weight, html.EscapeString(text))
}

// paragraph writes over the whole width.
func (c *canvas) paragraph(s style, text string) { c.y = c.words(margin, c.y, inner, s, text) }

func (c *canvas) space(n int) { c.y += n }

// picture puts a frame around all that was written, with a bar of a colour at its left side.
func (c *canvas) picture(title, bar string) []byte {
	high := c.y + margin
	var all bytes.Buffer
	fmt.Fprintf(&all, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="Helvetica, Arial, sans-serif" role="img">`+"\n", width, high, width, high)
	fmt.Fprintf(&all, "<title>%s</title>\n", html.EscapeString(title))
	fmt.Fprintf(&all, `<rect x="0.5" y="0.5" width="%d" height="%d" rx="8" fill="#ffffff" stroke="#d1d5db"/>`+"\n", width-1, high-1)
	fmt.Fprintf(&all, `<rect x="8" y="12" width="4" height="%d" rx="2" fill="%s"/>`+"\n", high-24, bar)
	all.Write(c.out.Bytes())
	all.WriteString("</svg>\n")
	return all.Bytes()
}

func wrap(text string, most int) []string {
	var lines []string
	for paragraph := range strings.SplitSeq(text, "\n") {
		line := ""
		for _, word := range strings.Fields(paragraph) {
			if line != "" && len([]rune(line))+1+len([]rune(word)) > most {
				lines = append(lines, line)
				line = ""
			}
			line = strings.TrimSpace(line + " " + word)
		}
		lines = append(lines, line)
	}
	return lines
}
