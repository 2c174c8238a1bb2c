package vendorapi

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// fields are what a document has of a body's fields or a query's parameters, by their
// path: data.attributes.name. What stands below a path that is named belongs to it.
type fields map[string]rule

// rule is what a document says of one field.
type rule struct {
	needed bool
	most   int      // characters; 0: no limit
	values []string // nil: any
}

var (
	needed = rule{needed: true}
	may    = rule{}
)

func exactly(value string) rule { return rule{needed: true, values: []string{value}} }
func upTo(most int) rule        { return rule{needed: true, most: most} }
func one(of ...string) rule     { return rule{values: of} }

// hold compares what was given with the rules, and keeps it in kept by its path. It says
// what is wrong first, or "".
func (f fields) hold(what string, given any, kept map[string]any) string {
	if wrong := f.walk(what, "", given, kept); wrong != "" {
		return wrong
	}
	names := make([]string, 0, len(f))
	for name := range f {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		r := f[name]
		v, there := kept[name]
		text, isText := v.(string)
		switch {
		case r.needed && (!there || v == nil || v == ""):
			return fmt.Sprintf("the %s %s is missing", what, name)
		case !there:
		case r.values != nil && (!isText || !slices.Contains(r.values, text)):
			return fmt.Sprintf("the %s %s is not one of %s", what, name, strings.Join(r.values, ", "))
		case r.most > 0 && len(text) > r.most:
			return fmt.Sprintf("the %s %s has %d characters, at most %d are allowed", what, name, len(text), r.most)
		}
	}
	return ""
}

func (f fields) walk(what, path string, given any, kept map[string]any) string {
	if _, named := f[path]; named {
		kept[path] = given
		return ""
	}
	inner, isObject := given.(map[string]any)
	if !isObject {
		return fmt.Sprintf("no document has the %s %s", what, path)
	}
	for name, v := range inner {
		below := name
		if path != "" {
			below = path + "." + name
		}
		if wrong := f.walk(what, below, v, kept); wrong != "" {
			return wrong
		}
	}
	return ""
}

// by proves with headers that hold the administrator's values: header name to value's name.
func byHeaders(named map[string]string) auth {
	var headers []string
	for header := range named {
		headers = append(headers, header)
	}
	return auth{headers: headers, check: func(e *exchange) bool {
		for header, name := range named {
			if got := e.r.Header.Get(header); got == "" || got != e.admin[name] {
				return false
			}
		}
		return true
	}}
}

// adminBearer proves with the administrator's token in Authorization.
func adminBearer(name string) auth {
	return auth{headers: []string{"Authorization"}, check: func(e *exchange) bool {
		got, is := strings.CutPrefix(e.r.Header.Get("Authorization"), "Bearer ")
		return is && got != "" && got == e.admin[name]
	}}
}

// adminBasic proves with the administrator's name and password.
func adminBasic(user, password string) auth {
	return auth{headers: []string{"Authorization"}, check: func(e *exchange) bool {
		u, p, given := e.r.BasicAuth()
		return given && u != "" && u == e.admin[user] && p == e.admin[password]
	}}
}

// issuedBearer proves with a token that a token call issued.
func issuedBearer(e *exchange) bool {
	text, is := strings.CutPrefix(e.r.Header.Get("Authorization"), "Bearer ")
	t := e.tokens[text]
	if !is || t == nil || !e.clock().Before(t.Expires) {
		return false
	}
	if t.Client != "admin" {
		e.key = e.byID(t.Client)
	}
	return true
}

var issued = auth{headers: []string{"Authorization"}, check: issuedBearer}

// keyHeader proves with a key of the account, after a prefix in a header.
func keyHeader(header, prefix string) auth {
	return auth{headers: []string{header}, check: func(e *exchange) bool {
		secret, is := strings.CutPrefix(e.r.Header.Get(header), prefix)
		return is && e.prove(e.bySecret(secret))
	}}
}

// keyBasic proves with a key's id and secret.
var keyBasic = auth{headers: []string{"Authorization"}, check: func(e *exchange) bool {
	id, secret, given := e.r.BasicAuth()
	k := e.bySecret(secret)
	return given && k != nil && k.ID == id && e.prove(k)
}}

// either accepts what one of two does.
func either(a, b auth) auth {
	return auth{headers: append(slices.Clone(a.headers), b.headers...), check: func(e *exchange) bool {
		return a.check(e) || b.check(e)
	}}
}

// prove makes a key that works the one who asks.
func (e *exchange) prove(k *Key) bool {
	if k == nil || !e.works(k) {
		return false
	}
	e.key = k
	return true
}

// clientBasic is the client id and secret of RFC 6749, section 2.3.1, by Basic.
func (e *exchange) clientBasic() (id, secret string, given bool) { return e.r.BasicAuth() }

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// oauthError is an error of RFC 6749, section 5.2.
func oauthError(status int, code string) reply {
	return reply{status: status, body: object{"error": code}, header: http.Header{"Cache-Control": {"no-store"}}}
}

// end ends the key that the path names.
func endKey(part string, done reply) func(*exchange) reply {
	return func(e *exchange) reply {
		k := e.byID(e.parts[part])
		if k == nil || !e.alive(k) {
			return e.fail(http.StatusNotFound, "not found")
		}
		e.end(k)
		return done
	}
}

// page is the nth page of keys, from 0.
func (e *exchange) page(all []*Key, size, n int) []*Key {
	from := min(max(n, 0)*size, len(all))
	return all[from:min(from+size, len(all))]
}

// after are the keys that follow the one with an id; all of them for "".
func (e *exchange) after(all []*Key, id string) []*Key {
	for i, k := range all {
		if k.ID == id {
			return all[i+1:]
		}
	}
	return all
}
