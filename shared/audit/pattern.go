package audit

import "strings"

// patterns is a list in which * stands for any text. Lookups of what has none are by hash.
type patterns struct {
	exact map[string]struct{}
	wild  []string
}

func compilePatterns(list []string) patterns {
	p := patterns{exact: map[string]struct{}{}}
	for _, text := range list {
		if strings.Contains(text, "*") {
			p.wild = append(p.wild, text)
		} else {
			p.exact[text] = struct{}{}
		}
	}
	return p
}

func (p *patterns) empty() bool { return len(p.exact) == 0 && len(p.wild) == 0 }

func (p *patterns) match(text string) bool {
	if text == "" {
		return false
	}
	if _, ok := p.exact[text]; ok {
		return true
	}
	for _, w := range p.wild {
		if like(w, text) {
			return true
		}
	}
	return false
}

// matchAny says whether one of several names for a thing matches.
func (p *patterns) matchAny(texts ...string) bool {
	for _, t := range texts {
		if p.match(t) {
			return true
		}
	}
	return false
}

// like compares text with a pattern in which * stands for any text.
func like(pattern, text string) bool {
	head, rest, found := strings.Cut(pattern, "*")
	if !found {
		return pattern == text
	}
	if !strings.HasPrefix(text, head) {
		return false
	}
	text = text[len(head):]
	for {
		part, next, more := strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(text, part)
		}
		at := strings.Index(text, part)
		if at < 0 {
			return false
		}
		text, rest = text[at+len(part):], next
	}
}
