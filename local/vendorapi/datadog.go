package vendorapi

import (
	"fmt"
	"net/http"
	"time"
)

var datadog = &Vendor{
	Name: "datadog",
	Documents: []Document{{
		URL: "https://docs.datadoghq.com/api/latest/key-management/", Read: "2026-11-23",
		Unverified: "the limit of 50 keys is an organisation's default, which a list tells as max_allowed",
	}, {
		URL: "https://docs.aws.amazon.com/secretsmanager/latest/userguide/mes-partner-DatadogApiKey.html", Read: "2026-11-23",
	}},
	Limit: 50,
	Lag:   2 * time.Second, EndLag: 2 * time.Second,
	admin:    map[string]string{"apiKey": "datadog-admin-api-key-1f9a70", "applicationKey": "datadog-admin-application-key-77c0de"},
	id:       func(n int) string { return fmt.Sprintf("5d1c3f2e-0b7a-4c55-9d3e-%012x", n) },
	secret:   func(n int) string { return fmt.Sprintf("da7ad09%025x", n*7919) },
	unproven: http.StatusForbidden,
	errors:   func(_ int, what string) any { return object{"errors": []string{what}} },
	calls: []call{{
		name: "create", method: http.MethodPost, host: "api.datadoghq.com", path: "/api/v2/api_keys", auth: datadogAdmin,
		json: fields{
			"data.type": exactly("api_keys"), "data.attributes.name": needed,
			"data.attributes.category": may, "data.attributes.remote_config_read_enabled": may,
		},
		do: func(e *exchange) reply {
			k := e.mint(e.text("data.attributes.name"))
			if k == nil {
				return e.fail(http.StatusBadRequest, "Maximum number of API keys reached")
			}
			made := datadogKey(k)
			made["attributes"].(object)["key"] = k.Secret
			return created(object{"data": made})
		},
	}, {
		name: "list", method: http.MethodGet, host: "api.datadoghq.com", path: "/api/v2/api_keys", auth: datadogAdmin,
		query: fields{"page[size]": may, "page[number]": may, "sort": may, "filter": may},
		do: func(e *exchange) reply {
			size := min(e.number("page[size]", 10), 100)
			all := []object{}
			for _, k := range e.page(e.listed(), size, e.number("page[number]", 0)) {
				all = append(all, datadogKey(k))
			}
			return ok(object{"data": all, "meta": object{"max_allowed": e.Limit, "page": object{"total_filtered_count": len(e.listed())}}})
		},
	}, {
		name: "revoke", method: http.MethodDelete, host: "api.datadoghq.com", path: "/api/v2/api_keys/{id}", auth: datadogAdmin,
		do: endKey("id", ok(nil)),
	}, {
		name: "check", method: http.MethodGet, host: "api.datadoghq.com", path: "/api/v1/validate", auth: keyHeader("Dd-Api-Key", ""),
		do: func(*exchange) reply { return ok(object{"valid": true}) },
	}},
}

var datadogAdmin = byHeaders(map[string]string{"Dd-Api-Key": "apiKey", "Dd-Application-Key": "applicationKey"})

func datadogKey(k *Key) object {
	attributes := object{"name": k.Name, "last4": k.Secret[len(k.Secret)-4:], "created_at": k.Created.Format(time.RFC3339Nano)}
	if !k.LastUsed.IsZero() {
		attributes["date_last_used"] = k.LastUsed.Format(time.RFC3339Nano)
	}
	return object{"type": "api_keys", "id": k.ID, "attributes": attributes}
}
