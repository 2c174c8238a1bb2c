package declarative

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rekey-aws/rekey/shared/apikey"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// maxPages is more than any account has: a list that does not end is a defect.
const maxPages = 200

// List implements [apikey.Provider].
func (p *Provider) List(ctx context.Context, a apikey.Account) ([]apikey.Key, error) {
	const what = "listing the keys"
	s, l := p.session(a), p.program.list
	var keys []apikey.Key
	page := pager{list: l}
	for range maxPages {
		answer, err := s.exchange(ctx, deed{about: what, repeatable: true, request: &l.request}, func(ctx context.Context) (*http.Request, []byte, error) {
			return s.build(ctx, &l.request, page.turn)
		})
		if err != nil {
			return nil, err
		}
		found, err := s.items(ctx, l, answer.body)
		if err != nil {
			return nil, fmt.Errorf("%s: reading the answer: %w", what, err)
		}
		keys = append(keys, found.keys...)
		more, err := page.after(ctx, answer, found.items)
		if err != nil || !more {
			return keys, err
		}
	}
	return nil, fmt.Errorf("%s: there are more than %d pages: %w", what, maxPages, rotation.ErrVendor)
}

type found struct {
	keys  []apikey.Key
	items int // those left out included: what tells a full page
}

func (s *session) items(ctx context.Context, l *list, body any) (found, error) {
	v, err := l.items.eval(ctx, body)
	if err != nil {
		return found{}, vendorKind(err)
	}
	items, ok := v.([]any)
	if !ok && v != nil {
		return found{}, fmt.Errorf("%s is no array: %w", l.items.text, rotation.ErrVendor)
	}
	out := found{items: len(items)}
	for _, item := range items {
		if l.where != nil && !l.where.holds(ctx, item) {
			continue
		}
		k, err := listed(ctx, l, item)
		if err != nil {
			return found{}, err
		}
		out.keys = append(out.keys, k)
	}
	return out, nil
}

func listed(ctx context.Context, l *list, item any) (apikey.Key, error) {
	v, err := l.id.eval(ctx, item)
	if err != nil {
		return apikey.Key{}, vendorKind(err)
	}
	id, ok := textOf(v)
	if !ok || id == "" {
		return apikey.Key{}, fmt.Errorf("a key has no id at %s: %w", l.id.text, rotation.ErrVendor)
	}
	k := apikey.Key{ID: id}
	if l.name != nil {
		v, err := l.name.eval(ctx, item)
		if err != nil {
			return apikey.Key{}, vendorKind(err)
		}
		k.Name, _ = textOf(v)
	}
	for _, moment := range []struct {
		expr *expression
		to   *time.Time
	}{{l.created, &k.Created}, {l.lastUsed, &k.LastUsed}, {l.expires, &k.Expires}} {
		if moment.expr == nil {
			continue
		}
		v, err := moment.expr.eval(ctx, item)
		if err != nil {
			return apikey.Key{}, vendorKind(err)
		}
		if *moment.to, err = timeOf(v); err != nil {
			return apikey.Key{}, fmt.Errorf("%s: %w", moment.expr.text, err)
		}
	}
	if l.active != nil {
		k.Inactive = !l.active.holds(ctx, item)
	}
	return k, nil
}

// layouts are how vendors write times.
var layouts = []string{time.RFC3339Nano, time.RFC1123Z, time.RFC1123, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04:05 MST", "2006-01-02"}

// timeOf reads a time: text, or Unix seconds or milliseconds. Nothing is zero.
func timeOf(v any) (time.Time, error) {
	var number float64
	switch v := v.(type) {
	case nil:
		return time.Time{}, nil
	case string:
		if v == "" {
			return time.Time{}, nil
		}
		for _, layout := range layouts {
			if t, err := time.Parse(layout, v); err == nil {
				return t.UTC(), nil
			}
		}
		parsed, err := strconv.ParseFloat(v, 64)
		if err != nil {
			return time.Time{}, fmt.Errorf("it is no time: %w", rotation.ErrVendor)
		}
		number = parsed
	case json.Number:
		number, _ = v.Float64()
	case int:
		number = float64(v)
	case float64:
		number = v
	default:
		return time.Time{}, fmt.Errorf("it is no time: %w", rotation.ErrVendor)
	}
	if number <= 0 {
		return time.Time{}, nil
	}
	if number > 1e11 { // the year 5138 in seconds, 1973 in milliseconds
		number /= 1000
	}
	return time.UnixMilli(int64(number * 1000)).UTC(), nil
}

// pager goes from page to page.
type pager struct {
	list   *list
	number int    // of the page, from 0
	seen   int    // items so far
	cursor string // of the next page
	whole  *url.URL
}

// turn addresses the page that is to come.
func (p *pager) turn(r *http.Request) error {
	n := p.list.next
	query := r.URL.Query()
	switch {
	case p.whole != nil:
		if p.whole.Scheme != r.URL.Scheme || p.whole.Host != r.URL.Host {
			return rotation.WithHint(fmt.Errorf("the next page is on another host, %s: %w", p.whole.Host, rotation.ErrVendor),
				"Credentials are sent to the host that the provider's file names, and nowhere else.")
		}
		r.URL = p.whole
		return nil
	case n.FirstPage != nil:
		query.Set(n.Parameter, strconv.Itoa(*n.FirstPage+p.number))
	case n.Offset:
		query.Set(n.Parameter, strconv.Itoa(p.seen))
	case p.cursor != "":
		query.Set(n.Parameter, p.cursor)
	default:
		return nil
	}
	r.URL.RawQuery = query.Encode()
	return nil
}

// after reports whether there is another page.
func (p *pager) after(ctx context.Context, answer reply, items int) (bool, error) {
	n := p.list.next
	p.number++
	p.seen += items
	switch {
	case n.FirstPage != nil, n.Offset:
		return items >= n.Size, nil
	case n.Link:
		return p.follow(linkNext(answer.header))
	case p.list.cursor == nil:
		return false, nil
	}
	v, err := p.list.cursor.eval(ctx, answer.body)
	if err != nil {
		return false, vendorKind(err)
	}
	next, _ := textOf(v)
	if n.Parameter == "" {
		return p.follow(next)
	}
	if next != "" && next == p.cursor {
		return false, fmt.Errorf("listing the keys: the next page is this one: %w", rotation.ErrVendor)
	}
	p.cursor = next
	return next != "", nil
}

func (p *pager) follow(address string) (bool, error) {
	if address == "" {
		return false, nil
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil {
		return false, fmt.Errorf("listing the keys: the address of the next page is malformed: %w", rotation.ErrVendor)
	}
	if p.whole != nil && *p.whole == *u {
		return false, fmt.Errorf("listing the keys: the next page is this one: %w", rotation.ErrVendor)
	}
	p.whole = u
	return true, nil
}

// linkNext is the target of rel="next" in Link headers.
//
// https://www.rfc-editor.org/rfc/rfc8288#section-3
func linkNext(header http.Header) string {
	for _, line := range header.Values("Link") {
		for link := range strings.SplitSeq(line, ",") {
			target, parameters, _ := strings.Cut(link, ";")
			target = strings.TrimSpace(target)
			if !strings.HasPrefix(target, "<") || !strings.HasSuffix(target, ">") {
				continue
			}
			for parameter := range strings.SplitSeq(parameters, ";") {
				name, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
				if strings.EqualFold(name, "rel") && strings.EqualFold(strings.Trim(value, `"`), "next") {
					return strings.Trim(target, "<>")
				}
			}
		}
	}
	return ""
}
