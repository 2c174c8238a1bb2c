package vendorapi

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

const (
	githubAppID        = "12345"
	githubInstallation = "9876543"
)

// Tokens of an app's installation end after an hour. They have no id and no list.
var githubApp = &Vendor{
	Name:  "github-app",
	place: map[string]string{"appId": githubAppID, "installationId": githubInstallation},
	Documents: []Document{{
		URL: "https://docs.github.com/rest/apps/apps#create-an-installation-access-token-for-an-app", Read: "2026-11-23",
		Unverified: "that every installation may list its repositories",
	}, {
		URL: "https://docs.github.com/rest/apps/installations", Read: "2026-11-23",
	}},
	Life:   time.Hour,
	secret: func(n int) string { return fmt.Sprintf("ghs_g17hub%030x", n*7753) },
	errors: githubError,
	calls: []call{{
		name: "create", method: http.MethodPost, host: "api.github.com", path: "/app/installations/{installation}/access_tokens",
		auth: auth{headers: []string{"Authorization"}}, also: []string{"X-Github-Api-Version"},
		json: fields{"repositories": may, "repository_ids": may, "permissions": may},
		do: func(e *exchange) reply {
			text, _ := strings.CutPrefix(e.r.Header.Get("Authorization"), "Bearer ")
			t := readJWT(text, e.clock(), 11*time.Minute)
			switch {
			case t == nil || fmt.Sprint(t.claims["iss"]) != githubAppID:
				return e.fail(http.StatusUnauthorized, "A JSON web token could not be decoded")
			case e.parts["installation"] != githubInstallation:
				return e.fail(http.StatusNotFound, "Not Found")
			}
			k := e.mint("")
			return created(object{"token": k.Secret, "expires_at": k.Expires.UTC().Format(time.RFC3339), "permissions": object{"contents": "read"}, "repository_selection": "all"})
		},
	}, {
		name: "check", method: http.MethodGet, host: "api.github.com", path: "/installation/repositories",
		auth: keyHeader("Authorization", "Bearer "), also: []string{"X-Github-Api-Version"},
		query: fields{"per_page": may, "page": may},
		do:    func(*exchange) reply { return ok(object{"total_count": 0, "repositories": []object{}}) },
	}, {
		name: "revoke", method: http.MethodDelete, host: "api.github.com", path: "/installation/token",
		auth: keyHeader("Authorization", "Bearer "), also: []string{"X-Github-Api-Version"},
		do: func(e *exchange) reply { e.end(e.key); return ok(nil) },
	}},
}

// No call makes a personal access token. Whoever holds one can have it revoked, without
// any other credential.
var githubPAT = &Vendor{
	Name: "github-pat",
	Documents: []Document{{
		URL: "https://docs.github.com/rest/credentials/revoke", Read: "2026-11-23",
		Unverified: "that GET /user answers a token with any permission",
	}},
	EndLag: 5 * time.Second,
	secret: func(n int) string { return fmt.Sprintf("github_pat_g17hub%030x", n*7741) },
	errors: githubError,
	calls: []call{{
		name: "check", method: http.MethodGet, host: "api.github.com", path: "/user",
		auth: keyHeader("Authorization", "Bearer "), also: []string{"X-Github-Api-Version"},
		do: func(*exchange) reply { return ok(object{"login": "app", "id": 1}) },
	}, {
		name: "revoke", method: http.MethodPost, host: "api.github.com", path: "/credentials/revoke", also: []string{"X-Github-Api-Version"},
		json: fields{"credentials": needed},
		do: func(e *exchange) reply {
			all, _ := e.body["credentials"].([]any)
			for _, secret := range all {
				if text, _ := secret.(string); e.bySecret(text) != nil {
					e.end(e.bySecret(text))
				}
			}
			return reply{status: http.StatusAccepted, body: object{}}
		},
	}},
}

func githubError(status int, what string) any {
	return object{"message": what, "documentation_url": "https://docs.github.com/rest", "status": fmt.Sprint(status)}
}
