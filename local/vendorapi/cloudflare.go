package vendorapi

import (
	"fmt"
	"net/http"
	"time"
)

const cloudflareAccount = "023e105f4ecef8ad9ca31a8372d0c353"

var cloudflare = &Vendor{
	Name:  "cloudflare",
	place: map[string]string{"accountId": cloudflareAccount},
	Documents: []Document{{
		URL: "https://developers.cloudflare.com/api/resources/accounts/subresources/tokens/", Read: "2026-11-23",
		Unverified: "how many tokens an account may have",
	}},
	Lag: 2 * time.Second, EndLag: 2 * time.Second,
	admin:  map[string]string{"token": "cloudflare-admin-token-3a9f1c"},
	id:     func(n int) string { return fmt.Sprintf("ed17574386854bf78a67%012x", n) },
	secret: func(n int) string { return fmt.Sprintf("cfl4r3%034x", n*7883) },
	errors: func(_ int, what string) any {
		return object{"success": false, "errors": []object{{"code": 1000, "message": what}}, "messages": []object{}, "result": nil}
	},
	calls: []call{{
		name: "create", method: http.MethodPost, host: "api.cloudflare.com", path: "/client/v4/accounts/{account}/tokens", auth: adminBearer("token"),
		json: fields{"name": upTo(120), "policies": needed, "condition": may, "expires_on": may, "not_before": may},
		do: inCloudflareAccount(func(e *exchange) reply {
			k := e.mint(e.text("name"))
			made := cloudflareToken(k)
			made["value"], made["policies"] = k.Secret, e.body["policies"]
			return cloudflareReply(made, nil)
		}),
	}, {
		// Before the call with {id}, which its path would match too.
		name: "check", method: http.MethodGet, host: "api.cloudflare.com", path: "/client/v4/accounts/{account}/tokens/verify",
		auth: keyHeader("Authorization", "Bearer "),
		do: inCloudflareAccount(func(e *exchange) reply {
			return cloudflareReply(object{"id": e.key.ID, "status": "active"}, nil)
		}),
	}, {
		name: "list", method: http.MethodGet, host: "api.cloudflare.com", path: "/client/v4/accounts/{account}/tokens", auth: adminBearer("token"),
		query: fields{"page": may, "per_page": may, "direction": may},
		do: inCloudflareAccount(func(e *exchange) reply {
			size, page := min(e.number("per_page", 20), 50), e.number("page", 1)
			all := []object{}
			for _, k := range e.page(e.listed(), size, page-1) {
				all = append(all, cloudflareToken(k))
			}
			total := len(e.listed())
			return cloudflareReply(all, object{"page": page, "per_page": size, "count": len(all), "total_count": total, "total_pages": (total + size - 1) / size})
		}),
	}, {
		name: "revoke", method: http.MethodDelete, host: "api.cloudflare.com", path: "/client/v4/accounts/{account}/tokens/{id}", auth: adminBearer("token"),
		do: inCloudflareAccount(func(e *exchange) reply {
			return endKey("id", cloudflareReply(object{"id": e.parts["id"]}, nil))(e)
		}),
	}},
}

func inCloudflareAccount(do func(*exchange) reply) func(*exchange) reply {
	return func(e *exchange) reply {
		if e.parts["account"] != cloudflareAccount {
			return e.fail(http.StatusNotFound, "account not found")
		}
		return do(e)
	}
}

func cloudflareToken(k *Key) object {
	token := object{"id": k.ID, "name": k.Name, "status": "active", "issued_on": k.Created.Format(time.RFC3339), "modified_on": k.Created.Format(time.RFC3339)}
	if !k.LastUsed.IsZero() {
		token["last_used_on"] = k.LastUsed.Format(time.RFC3339)
	}
	return token
}

func cloudflareReply(result any, info object) reply {
	body := object{"success": true, "errors": []object{}, "messages": []object{}, "result": result}
	if info != nil {
		body["result_info"] = info
	}
	return ok(body)
}
