package vendorapi

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const newRelicAccount = 1234567

// Every call of NerdGraph is one path: the query says which. Failures come with status
// 200, in "errors".
var newRelic = &Vendor{
	Name:  "new-relic",
	place: map[string]string{"accountId": strconv.Itoa(newRelicAccount)},
	Documents: []Document{{
		URL: "https://docs.newrelic.com/docs/apis/nerdgraph/examples/use-nerdgraph-manage-license-keys-user-keys/", Read: "2026-11-23",
		Unverified: "that the metric API answers an empty payload with 202 and proves the key; the limit of 1,000 keys of an account",
	}},
	Limit: 1000,
	Lag:   2 * time.Second, EndLag: 2 * time.Second,
	admin:  map[string]string{"userKey": "new-relic-admin-user-key-0001"},
	id:     func(n int) string { return fmt.Sprintf("2D3F9A%034X", n) },
	secret: func(n int) string { return fmt.Sprintf("new4e11c%024xFFFFNRAL", n*7867) },
	calls: []call{{
		name: "graphql", method: http.MethodPost, host: "api.newrelic.com", path: "/graphql",
		auth: auth{headers: []string{"Api-Key"}},
		json: fields{"query": needed, "variables": may, "operationName": may},
		do:   nerdGraph,
	}, {
		name: "check", method: http.MethodPost, host: "metric-api.newrelic.com", path: "/metric/v1", auth: keyHeader("Api-Key", ""),
		json: fields{"": needed},
		do: func(*exchange) reply {
			return reply{status: http.StatusAccepted, body: object{"requestId": "3a1c8f0e-0001-b000-0000-016d"}}
		},
	}},
	unproven: http.StatusForbidden,
}

var space = regexp.MustCompile(`\s+`)

// nerdGraph knows three operations, by their field, and asks of each the arguments
// and what is selected.
func nerdGraph(e *exchange) reply {
	query := space.ReplaceAllString(e.text("query"), " ")
	variables, _ := e.body["variables"].(object)
	if e.r.Header.Get("Api-Key") != e.admin["userKey"] {
		return ok(object{"data": nil, "errors": []object{{"message": "Invalid API key", "extensions": object{"code": "UNAUTHORIZED"}}}})
	}
	switch {
	case strings.HasPrefix(query, "mutation") && strings.Contains(query, "apiAccessCreateKeys(keys: $keys)"):
		return createIngestKeys(e, query, variables)
	case strings.HasPrefix(query, "query") && strings.Contains(query, "apiAccess { keySearch(query: $query"):
		return searchKeys(e, query, variables)
	case strings.HasPrefix(query, "mutation") && strings.Contains(query, "apiAccessDeleteKeys(keys: $keys)"):
		return deleteIngestKeys(e, query, variables)
	}
	return e.undocumented("no document has the operation")
}

func createIngestKeys(e *exchange, query string, variables object) reply {
	kept := object{}
	if wrong := (fields{"keys.ingest": needed}).hold("variable", any(variables), kept); wrong != "" {
		return e.undocumented(wrong)
	}
	ingest, _ := kept["keys.ingest"].([]any)
	if len(ingest) != 1 || !selects(query, "createdKeys { id key", "errors { message") {
		return e.undocumented("the operation apiAccessCreateKeys creates one key and selects createdKeys { id key } and errors { message }")
	}
	key := object{}
	rules := fields{"accountId": needed, "ingestType": {needed: true, values: []string{"LICENSE", "BROWSER"}}, "name": needed, "notes": may}
	if wrong := rules.hold("variable keys.ingest", ingest[0], key); wrong != "" {
		return e.undocumented(wrong)
	}
	if key["accountId"] != float64(newRelicAccount) {
		return ok(object{"data": object{"apiAccessCreateKeys": object{"createdKeys": []object{}, "errors": []object{{"message": "Account not found", "type": "INGEST"}}}}})
	}
	name, _ := key["name"].(string)
	k := e.mint(name)
	if k == nil {
		return ok(object{"data": object{"apiAccessCreateKeys": object{"createdKeys": []object{}, "errors": []object{{"message": "The limit of keys is reached", "type": "INGEST"}}}}})
	}
	return ok(object{"data": object{"apiAccessCreateKeys": object{"createdKeys": []object{{"id": k.ID, "key": k.Secret, "name": k.Name, "type": "INGEST"}}, "errors": nil}}})
}

func searchKeys(e *exchange, query string, variables object) reply {
	if !selects(query, "keys {", "id", "name") {
		return e.undocumented("the operation keySearch selects keys { id name }")
	}
	rules := fields{"query.types": needed, "query.scope.accountIds": may, "query.scope.ingestTypes": may, "query.scope.userIds": may, "cursor": may}
	if wrong := rules.hold("variable", any(variables), object{}); wrong != "" {
		return e.undocumented(wrong)
	}
	all := []object{}
	for _, k := range e.listed() {
		all = append(all, object{"id": k.ID, "name": k.Name, "type": "INGEST", "createdAt": k.Created.Unix()})
	}
	return ok(object{"data": object{"actor": object{"apiAccess": object{"keySearch": object{"keys": all, "nextCursor": nil}}}}})
}

func deleteIngestKeys(e *exchange, query string, variables object) reply {
	kept := object{}
	if wrong := (fields{"keys.ingestKeyIds": needed}).hold("variable", any(variables), kept); wrong != "" {
		return e.undocumented(wrong)
	}
	if !selects(query, "deletedKeys { id", "errors { message") {
		return e.undocumented("the operation apiAccessDeleteKeys selects deletedKeys { id } and errors { message }")
	}
	deleted, failed := []object{}, []object{}
	ids, _ := kept["keys.ingestKeyIds"].([]any)
	for _, id := range ids {
		text, _ := id.(string)
		if k := e.byID(text); k != nil && e.alive(k) {
			e.end(k)
			deleted = append(deleted, object{"id": k.ID})
			continue
		}
		failed = append(failed, object{"message": "Key not found", "type": "INGEST"})
	}
	return ok(object{"data": object{"apiAccessDeleteKeys": object{"deletedKeys": deleted, "errors": failed}}})
}

func selects(query string, what ...string) bool {
	for _, w := range what {
		if !strings.Contains(query, w) {
			return false
		}
	}
	return true
}
