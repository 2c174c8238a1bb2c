package vendorapi

import (
	"fmt"
	"net/http"
	"time"
)

const (
	openAIProject = "proj_7f2c"
	openAIAccount = "user-svc-9d1e"
)

var openAI = &Vendor{
	Name:  "openai",
	place: map[string]string{"projectId": openAIProject, "serviceAccountId": openAIAccount},
	Documents: []Document{{
		URL: "https://developers.openai.com/api/reference/resources/organization", Read: "2026-11-23",
		Unverified: "how many keys may live at once; how long a new one takes to work",
	}},
	Lag: 2 * time.Second, EndLag: 5 * time.Second,
	admin:  map[string]string{"admin_key": "openai-admin-key-6f0d21"},
	id:     func(n int) string { return fmt.Sprintf("key_0pen%08d", n) },
	secret: func(n int) string { return fmt.Sprintf("sk-svcacct-0pena1%032x", n*7879) },
	errors: func(_ int, what string) any {
		return object{"error": object{"message": what, "type": "invalid_request_error", "param": nil, "code": nil}}
	},
	calls: []call{{
		name: "create", method: http.MethodPost, host: "api.openai.com", auth: adminBearer("admin_key"),
		path: "/v1/organization/projects/{project}/service_accounts/{account}/api_keys",
		json: fields{"name": needed, "scopes": may, "expires_in_seconds": may},
		do: func(e *exchange) reply {
			if e.parts["project"] != openAIProject || e.parts["account"] != openAIAccount {
				return e.fail(http.StatusNotFound, "no such project or service account")
			}
			k := e.mint(e.text("name"))
			return ok(object{"object": "organization.project.service_account.api_key", "id": k.ID, "name": k.Name, "created_at": k.Created.Unix(), "value": k.Secret})
		},
	}, {
		name: "list", method: http.MethodGet, host: "api.openai.com", auth: adminBearer("admin_key"),
		path:  "/v1/organization/projects/{project}/api_keys",
		query: fields{"limit": may, "after": may, "owner_project_access": one("active", "inactive", "any")},
		do: func(e *exchange) reply {
			after, size := e.query.Get("after"), min(e.number("limit", 20), 100)
			rest := e.after(e.listed(), after)
			page := rest[:min(size, len(rest))]
			all := []object{}
			for _, k := range page {
				all = append(all, openAIKey(k))
			}
			body := object{"object": "list", "data": all, "has_more": len(rest) > len(page)}
			if len(page) > 0 {
				body["first_id"], body["last_id"] = page[0].ID, page[len(page)-1].ID
			}
			return ok(body)
		},
	}, {
		name: "revoke", method: http.MethodDelete, host: "api.openai.com", auth: adminBearer("admin_key"),
		path: "/v1/organization/projects/{project}/api_keys/{id}",
		do: func(e *exchange) reply {
			return endKey("id", ok(object{"object": "organization.project.api_key.deleted", "id": e.parts["id"], "deleted": true}))(e)
		},
	}, {
		name: "check", method: http.MethodGet, host: "api.openai.com", path: "/v1/models", auth: keyHeader("Authorization", "Bearer "),
		do: func(*exchange) reply { return ok(object{"object": "list", "data": []object{}}) },
	}},
}

func openAIKey(k *Key) object {
	key := object{
		"object": "organization.project.api_key", "id": k.ID, "name": k.Name, "created_at": k.Created.Unix(), "last_used_at": nil,
		"redacted_value": "sk-svcacct-…", "owner": object{"type": "service_account", "service_account": object{"id": openAIAccount}},
	}
	if !k.LastUsed.IsZero() {
		key["last_used_at"] = k.LastUsed.Unix()
	}
	return key
}
