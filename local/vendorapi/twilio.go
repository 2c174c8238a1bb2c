package vendorapi

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// twilioSID is the account's.
const twilioSID = "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

var twilio = &Vendor{
	Name:  "twilio",
	place: map[string]string{"accountSid": twilioSID},
	Documents: []Document{{
		URL: "https://github.com/twilio/twilio-oai/blob/main/spec/yaml/twilio_iam_v1.yaml", Read: "2026-11-23",
		Unverified: "that a restricted key may list messages (its policy has to allow it); how many keys an account may have",
	}},
	Lag: 2 * time.Second, EndLag: 2 * time.Second,
	admin:  map[string]string{"accountSid": twilioSID, "authToken": "twilio-admin-auth-token-51c2"},
	id:     func(n int) string { return fmt.Sprintf("SK%032x", n) },
	secret: func(n int) string { return fmt.Sprintf("tw1l10%026x", n*7907) },
	errors: twilioError,
	calls: []call{{
		name: "create", method: http.MethodPost, host: "iam.twilio.com", path: "/v1/Keys", auth: adminBasic("accountSid", "authToken"),
		form: fields{"AccountSid": exactly(twilioSID), "FriendlyName": {most: 64}, "KeyType": one("restricted"), "Policy": may},
		do: func(e *exchange) reply {
			if e.text("KeyType") == "restricted" && !strings.Contains(e.text("Policy"), `"allow"`) {
				return e.undocumented("a restricted key needs the field Policy")
			}
			k := e.mint(e.text("FriendlyName"))
			made := twilioKey(k)
			made["secret"], made["policy"] = k.Secret, e.body["Policy"]
			return created(made)
		},
	}, {
		name: "list", method: http.MethodGet, host: "iam.twilio.com", path: "/v1/Keys", auth: adminBasic("accountSid", "authToken"),
		query: fields{"AccountSid": exactly(twilioSID), "PageSize": may, "Page": may, "PageToken": may},
		do: func(e *exchange) reply {
			size, page := min(e.number("PageSize", 50), 1000), e.number("Page", 0)
			all := []object{}
			for _, k := range e.page(e.listed(), size, page) {
				all = append(all, twilioKey(k))
			}
			meta := object{"key": "keys", "page": page, "page_size": size, "next_page_url": nil}
			if (page+1)*size < len(e.listed()) {
				next := url.Values{
					"AccountSid": {twilioSID}, "PageSize": {strconv.Itoa(size)}, "Page": {strconv.Itoa(page + 1)}, "PageToken": {"PT" + strconv.Itoa(page+1)},
				}
				meta["next_page_url"] = "https://iam.twilio.com/v1/Keys?" + next.Encode()
			}
			return ok(object{"keys": all, "meta": meta})
		},
	}, {
		name: "revoke", method: http.MethodDelete, host: "iam.twilio.com", path: "/v1/Keys/{sid}", auth: adminBasic("accountSid", "authToken"),
		do: endKey("sid", ok(nil)),
	}, {
		name: "check", method: http.MethodGet, host: "api.twilio.com", path: "/2010-04-01/Accounts/{account}/Messages.json", auth: keyBasic,
		query: fields{"PageSize": may},
		do: func(e *exchange) reply {
			if e.parts["account"] != twilioSID {
				return e.fail(http.StatusNotFound, "not found")
			}
			return ok(object{"messages": []object{}, "page": 0, "page_size": 1})
		},
	}},
}

func twilioError(status int, what string) any {
	code := map[int]int{http.StatusUnauthorized: 20003, http.StatusNotFound: 20404, http.StatusTooManyRequests: 20429}[status]
	return object{"code": code, "message": what, "more_info": "https://www.twilio.com/docs/errors/" + strconv.Itoa(code), "status": status}
}

func twilioKey(k *Key) object {
	day := k.Created.UTC().Format(time.RFC1123Z)
	return object{"sid": k.ID, "friendly_name": k.Name, "date_created": day, "date_updated": day}
}

// An account has one primary and at most one secondary auth token; both work. Promoting
// the secondary ends the primary.
var twilioAuthToken = &Vendor{
	Name:  "twilio-auth-token",
	place: map[string]string{"accountSid": twilioSID},
	Documents: []Document{{
		URL: "https://www.twilio.com/docs/iam/api/authtoken", Read: "2026-11-23",
		Unverified: "the reply where a secondary token is there already; that a secondary token may promote itself",
	}},
	Limit: 2,
	Lag:   2 * time.Second,
	id:    func(int) string { return twilioSID },
	secret: func(n int) string {
		return fmt.Sprintf("70c3e55%025x", n*7901)
	},
	errors: twilioError,
	calls: []call{{
		name: "create", method: http.MethodPost, host: "accounts.twilio.com", path: "/v1/AuthTokens/Secondary", auth: keyBasic,
		do: func(e *exchange) reply {
			k := e.mint("secondary")
			if k == nil {
				return e.fail(http.StatusBadRequest, "a secondary auth token exists already")
			}
			return created(object{"account_sid": twilioSID, "secondary_auth_token": k.Secret, "date_created": k.Created.Format(time.RFC3339)})
		},
	}, {
		name: "revoke", method: http.MethodDelete, host: "accounts.twilio.com", path: "/v1/AuthTokens/Secondary", auth: keyBasic,
		do: func(e *exchange) reply {
			live := e.listed()
			if len(live) < 2 {
				return e.fail(http.StatusNotFound, "no secondary auth token")
			}
			e.end(live[1])
			return ok(nil)
		},
	}, {
		name: "promote", method: http.MethodPost, host: "accounts.twilio.com", path: "/v1/AuthTokens/Promote", auth: keyBasic,
		do: func(e *exchange) reply {
			live := e.listed()
			if len(live) < 2 {
				return e.fail(http.StatusBadRequest, "no secondary auth token")
			}
			e.end(live[0])
			return ok(object{"account_sid": twilioSID, "auth_token": live[1].Secret, "date_updated": e.clock().Format(time.RFC3339)})
		},
	}, {
		name: "check", method: http.MethodGet, host: "api.twilio.com", path: "/2010-04-01/Accounts/{account}.json", auth: keyBasic,
		do: func(e *exchange) reply { return ok(object{"sid": e.parts["account"], "status": "active"}) },
	}},
}
