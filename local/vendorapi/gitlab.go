package vendorapi

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// A token rotates itself and ends at once. Rotating with a token that has ended ends
// every token of its family.
var gitlab = &Vendor{
	Name: "gitlab",
	Documents: []Document{{
		URL: "https://docs.gitlab.com/api/personal_access_tokens/", Read: "2026-11-23",
	}, {
		URL: "https://docs.aws.amazon.com/secretsmanager/latest/userguide/mes-partner-GitLabAccessToken.html", Read: "2026-11-23",
		Unverified: "that the managed secret has the keys token, tokenId and expiresAt",
	}},
	id:     func(n int) string { return strconv.Itoa(4000 + n) },
	secret: func(n int) string { return fmt.Sprintf("glpat-g17lab%014x", n*7823) },
	errors: func(status int, what string) any { return object{"message": fmt.Sprintf("%d %s", status, what)} },
	calls: []call{{
		name: "create", method: http.MethodPost, host: "gitlab.com", path: "/api/v4/personal_access_tokens/self/rotate",
		auth: auth{headers: []string{"Private-Token"}},
		form: fields{"expires_at": may},
		do: func(e *exchange) reply {
			secret := e.r.Header.Get("Private-Token")
			k := e.bySecret(secret)
			switch {
			case k == nil:
				return e.fail(http.StatusUnauthorized, "Unauthorized")
			case !e.spend(k.ID) || !e.alive(k):
				e.endFamily(k.Family)
				return e.fail(http.StatusUnauthorized, "Unauthorized")
			}
			if end, given := e.body["expires_at"]; given {
				day, err := time.Parse(time.DateOnly, fmt.Sprint(end))
				if err != nil || day.After(e.clock().AddDate(1, 0, 1)) {
					return e.undocumented("the field expires_at is no day of the next year")
				}
			}
			next := e.replace(k)
			next.Fields["expires"] = e.text("expires_at")
			made := gitlabToken(next)
			made["token"] = next.Secret
			return ok(made)
		},
	}, {
		name: "check", method: http.MethodGet, host: "gitlab.com", path: "/api/v4/personal_access_tokens/self", auth: keyHeader("Private-Token", ""),
		do: func(e *exchange) reply { return ok(gitlabToken(e.key)) },
	}, {
		name: "revoke", method: http.MethodDelete, host: "gitlab.com", path: "/api/v4/personal_access_tokens/self", auth: keyHeader("Private-Token", ""),
		do: func(e *exchange) reply { e.end(e.key); return ok(nil) },
	}},
}

func gitlabToken(k *Key) object {
	id, _ := strconv.Atoi(k.ID)
	return object{
		"id": id, "name": "app", "revoked": !k.Ended.IsZero(), "active": k.Ended.IsZero(), "created_at": k.Created.Format(time.RFC3339), "scopes": []string{"api"},
		"user_id": 3, "last_used_at": nil, "expires_at": k.Fields["expires"],
	}
}
