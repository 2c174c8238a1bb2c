package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// acme is the vendor of testdata/providers/acme.yaml: three keys may live.
type acme struct {
	mu    sync.Mutex
	keys  []*acmeKey
	most  int
	fault func(n int) fault // by the number of the request
	n     int
	seen  []string // what nobody should ask
}

type acmeKey struct {
	ID      string `json:"id"`
	Label   string `json:"label"`
	Created string `json:"created"`
	secret  string
	ended   bool
}

// fault is what happens to one request.
type fault int

const (
	healthy   fault = iota
	lost            // before it is carried out
	replyLost       // after
	broken          // 500, not carried out
	slowDown        // 429, not carried out
)

const acmeToken = "acme-admin-token-of-the-test"

func newAcme() *acme {
	v := &acme{}
	v.mint("made by hand")
	return v
}

func (v *acme) mint(label string) *acmeKey {
	k := &acmeKey{
		ID: fmt.Sprintf("key-%d", len(v.keys)), Label: label, secret: fmt.Sprintf("acme-secret-%d-of-the-test", len(v.keys)),
		Created: time.Now().UTC().Format(time.RFC3339Nano),
	}
	v.keys = append(v.keys, k)
	v.most = max(v.most, len(v.live()))
	return k
}

func (v *acme) live() (keys []*acmeKey) {
	for _, k := range v.keys {
		if !k.ended {
			keys = append(keys, k)
		}
	}
	return keys
}

// works tells whether a key's secret is accepted.
func (v *acme) works(secret string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.ContainsFunc(v.live(), func(k *acmeKey) bool { return k.secret == secret })
}

// secrets are all that there ever were.
func (v *acme) secrets() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	all := []string{acmeToken}
	for _, k := range v.keys {
		all = append(all, k.secret)
	}
	return all
}

func (v *acme) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	what := healthy
	if v.fault != nil {
		what = v.fault(v.n)
	}
	v.n++
	switch what {
	case lost:
		panic(http.ErrAbortHandler)
	case broken:
		http.Error(w, `{"message":"internal error for `+acmeToken+`"}`, http.StatusInternalServerError)
		return
	case slowDown:
		w.Header().Set("Retry-After", "0")
		http.Error(w, `{"message":"slow down"}`, http.StatusTooManyRequests)
		return
	}
	v.answer(w, r)
	if what == replyLost {
		panic(http.ErrAbortHandler)
	}
}

func (v *acme) answer(w http.ResponseWriter, r *http.Request) {
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	admin := token == acmeToken
	path, id, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v1/keys"), "/")
	switch {
	case r.Method == http.MethodGet && r.URL.Path == "/v1/whoami":
		if !slices.ContainsFunc(v.live(), func(k *acmeKey) bool { return k.secret == token }) {
			http.Error(w, `{"message":"who is `+token+`?"}`, http.StatusUnauthorized)
		}
	case path != "" || !admin:
		v.seen = append(v.seen, r.Method+" "+r.URL.Path)
		http.Error(w, `{"message":"no `+token+`"}`, http.StatusForbidden)
	case r.Method == http.MethodPost && id == "":
		var order struct {
			Label string `json:"label"`
		}
		if json.NewDecoder(r.Body).Decode(&order) != nil || order.Label == "" || len(v.live()) >= 3 {
			v.seen = append(v.seen, "an order that is refused")
			http.Error(w, `{}`, http.StatusBadRequest)
			return
		}
		k := v.mint(order.Label)
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(map[string]string{"id": k.ID, "key": k.secret})
	case r.Method == http.MethodGet && id == "":
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": v.live()})
	case r.Method == http.MethodDelete:
		for _, k := range v.live() {
			if k.ID == id {
				k.ended = true
				w.WriteHeader(http.StatusNoContent)
				return
			}
		}
		http.Error(w, `{}`, http.StatusNotFound)
	}
}
