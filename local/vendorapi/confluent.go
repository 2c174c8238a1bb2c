package vendorapi

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const confluentOwner = "sa-l7v772"

// Cloud API keys of one service account. A key reads itself with its own secret
// (x-self-access in the specification).
var confluent = &Vendor{
	Name:  "confluent",
	place: map[string]string{"serviceAccountId": confluentOwner},
	Documents: []Document{{
		URL: "https://docs.confluent.io/cloud/current/api.html#tag/API-Keys-(iamv2)", Read: "2026-11-23",
		Unverified: "how long a new key takes to work, and how many a service account may have",
	}, {
		URL: "https://docs.aws.amazon.com/secretsmanager/latest/userguide/mes-partner-ConfluentCloudApiKey.html", Read: "2026-11-23",
	}},
	Lag: 20 * time.Second, EndLag: 5 * time.Second,
	admin:  map[string]string{"apiKey": "confluent-admin-key-01", "apiSecret": "confluent-admin-secret-90d3f1"},
	id:     func(n int) string { return fmt.Sprintf("CFLNT%011d", n) },
	secret: func(n int) string { return fmt.Sprintf("cflt%060x", n*7877) },
	errors: func(status int, what string) any {
		return object{"errors": []object{{"id": "e1", "status": strconv.Itoa(status), "code": "error", "detail": what}}}
	},
	calls: []call{{
		name: "create", method: http.MethodPost, host: "api.confluent.cloud", path: "/iam/v2/api-keys", auth: confluentAsks,
		json: fields{
			"spec.display_name": needed, "spec.description": may, "spec.owner.id": exactly(confluentOwner), "spec.owner.environment": may,
			"spec.resource.id": may, "spec.resource.environment": may,
		},
		do: func(e *exchange) reply {
			k := e.mint(e.text("spec.display_name"))
			made := confluentKey(k)
			made["spec"].(object)["secret"] = k.Secret
			return reply{status: http.StatusAccepted, body: made}
		},
	}, {
		name: "list", method: http.MethodGet, host: "api.confluent.cloud", path: "/iam/v2/api-keys", auth: confluentAsks,
		query: fields{"spec.owner": may, "spec.resource": may, "page_size": may, "page_token": may},
		do: func(e *exchange) reply {
			size := e.number("page_size", 10)
			if size > 100 {
				return e.undocumented("the parameter page_size is more than 100")
			}
			page := e.number("page_token", 0)
			all := []object{}
			for _, k := range e.page(e.listed(), size, page) {
				all = append(all, confluentKey(k))
			}
			meta := object{"total_size": len(e.listed())}
			if (page+1)*size < len(e.listed()) {
				next := url.Values{"page_size": {strconv.Itoa(size)}, "page_token": {strconv.Itoa(page + 1)}}
				meta["next"] = "https://api.confluent.cloud/iam/v2/api-keys?" + next.Encode()
			}
			return ok(object{"api_version": "iam/v2", "kind": "ApiKeyList", "metadata": meta, "data": all})
		},
	}, {
		name: "check", method: http.MethodGet, host: "api.confluent.cloud", path: "/iam/v2/api-keys/{id}", auth: confluentAsks,
		do: func(e *exchange) reply {
			k := e.byID(e.parts["id"])
			if k == nil || !e.alive(k) {
				return e.fail(http.StatusNotFound, "not found")
			}
			return ok(confluentKey(k))
		},
	}, {
		name: "revoke", method: http.MethodDelete, host: "api.confluent.cloud", path: "/iam/v2/api-keys/{id}", auth: confluentAsks,
		do: endKey("id", ok(nil)),
	}},
}

// Keys of the service account manage themselves if they may.
var confluentAsks = either(adminBasic("apiKey", "apiSecret"), keyBasic)

func confluentKey(k *Key) object {
	return object{
		"api_version": "iam/v2", "kind": "ApiKey", "id": k.ID, "metadata": object{"created_at": k.Created.Format(time.RFC3339)},
		"spec": object{"display_name": k.Name, "owner": object{"id": confluentOwner}, "resource": nil},
	}
}
