// Package apikeytest has what tests of vendors' keys need: for every provider a secret
// and an administrator's secret as its vendor would have them, a world in which the
// engine rotates such a secret with a fault at any call, and the crash matrix over all.
package apikeytest

import (
	"encoding/json"
	"fmt"

	"github.com/rekey-aws/rekey/local/vendorapi"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// Case is a provider, and the secrets of one account at its vendor.
type Case struct {
	// Provider is the name of both: of the file and of the vendor.
	Provider string
	// Key are the members of the secret's document that make up a credential.
	Key func(vendorapi.Key) members
	// Secret are its other members.
	Secret func(*vendorapi.Account) members
	// Admin are the members of the administrator's secret; nil: there is none.
	Admin func(*vendorapi.Account) members
}

// members of a document. What is not text is told by the provider's settings.
type members = map[string]string

// AdminID is the secret of the administrator.
const AdminID = "arn:aws:secretsmanager:us-east-1:123456789012:secret:admin-AbCdEf"

// Document is the secret with a key.
func (c Case) Document(a *vendorapi.Account, k vendorapi.Key) rotation.Value {
	all := members{"provider": c.Provider, "note": "kept as it is"}
	if c.Admin != nil {
		all["adminSecretArn"] = AdminID
	}
	for _, some := range []members{c.Secret(a), c.Key(k)} {
		for name, v := range some {
			all[name] = v
		}
	}
	return document(all)
}

// AdminDocument is the administrator's secret; empty if there is none.
func (c Case) AdminDocument(a *vendorapi.Account) rotation.Value {
	if c.Admin == nil {
		return rotation.Value{}
	}
	return document(c.Admin(a))
}

func document(m members) rotation.Value {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		panic(err) // of strings
	}
	return rotation.TextValue(string(text))
}

// secretOf is the key's text in a document, by which the vendor knows it.
func (c Case) secretOf(v rotation.Value) string {
	var m members
	if json.Unmarshal([]byte(v.Reveal()), &m) != nil {
		return ""
	}
	probe := c.Key(vendorapi.Key{ID: "id", Secret: "secret", Fields: map[string]string{}})
	for name, v := range probe {
		if v == "secret" {
			return m[name]
		}
	}
	return ""
}

// Cases are all providers, in the order of their names.
var Cases = []Case{
	{
		Provider: "anthropic", Key: pair("apiKeyId", "apiKey"), Secret: none,
		Admin: adminOf("adminKey", "adminKey"),
	},
	{
		Provider: "auth0", Key: alone("clientSecret"),
		Secret: places(members{"audience": "https://api.example.com"}, "domain", "clientId"),
		Admin: func(a *vendorapi.Account) members {
			return members{"clientId": a.Admin("clientId"), "clientSecret": a.Admin("clientSecret"), "domain": a.Place("domain")}
		},
	},
	{
		Provider: "cloudflare", Key: pair("tokenId", "token"),
		Secret: places(members{"policies": `[{"effect":"allow","permission_groups":[{"id":"c8fed203ed3043cba015a93ad1616f1f"}],"resources":{"com.cloudflare.api.account.*":"*"}}]`}, "accountId"),
		Admin:  adminOf("token", "token"),
	},
	{
		Provider: "confluent", Key: pair("apiKey", "apiSecret"), Secret: places(nil, "serviceAccountId"),
		Admin: adminOf("apiKey", "apiKey", "apiSecret", "apiSecret"),
	},
	{
		Provider: "datadog", Key: pair("apiKeyId", "apiKey"), Secret: none,
		Admin: adminOf("apiKey", "apiKey", "appKey", "applicationKey"),
	},
	{
		Provider: "fastly", Key: pair("tokenId", "token"), Secret: none,
		Admin: adminOf("token", "token", "username", "username", "password", "password"),
	},
	{
		Provider: "gcp-service-account", Key: pair("private_key_id", "private_key"),
		Secret: places(members{"exclusive": "true", "type": "service_account", "token_uri": "https://oauth2.googleapis.com/token"}, "client_email"),
		Admin: func(a *vendorapi.Account) members {
			return members{"client_email": a.Admin("client_email"), "private_key_id": a.Admin("private_key_id"), "private_key": a.PrivateKey()}
		},
	},
	{
		Provider: "github-app", Secret: places(nil, "installationId"),
		Key: func(k vendorapi.Key) members {
			return members{"token": k.Secret, "expiresAt": k.Expires.Format("2006-01-02T15:04:05Z")}
		},
		Admin: func(a *vendorapi.Account) members {
			return members{"appId": a.Place("appId"), "privateKey": a.PrivateKey()}
		},
	},
	{Provider: "github-pat", Key: alone("token"), Secret: none},
	{
		Provider: "gitlab", Secret: none,
		Key: func(k vendorapi.Key) members {
			return members{"tokenId": k.ID, "token": k.Secret, "expiresAt": k.Fields["expires"]}
		},
	},
	{
		Provider: "microsoft-entra", Key: pair("keyId", "clientSecret"), Secret: places(nil, "tenantId", "applicationObjectId", "clientId"),
		Admin: adminOf("clientId", "clientId", "clientSecret", "clientSecret"),
	},
	{
		Provider: "mongodb-atlas", Key: pair("clientSecretId", "clientSecret"), Secret: places(members{"exclusive": "true"}, "orgId", "clientId"),
		Admin: adminOf("clientId", "clientId", "clientSecret", "clientSecret"),
	},
	{
		Provider: "new-relic", Key: pair("keyId", "licenseKey"), Secret: places(nil, "accountId"),
		Admin: adminOf("userKey", "userKey"),
	},
	{
		Provider: "npm", Key: alone("token"),
		Secret: func(a *vendorapi.Account) members { return members{"registry": "https://" + a.Place("host")} },
	},
	{
		Provider: "oauth2-client-credentials", Key: alone("accessToken"), Secret: oauthPlaces("tokenUrl", "introspectUrl", "revokeUrl"),
		Admin: oauthAdmin("tokenUrl", "introspectUrl", "revokeUrl"),
	},
	{
		Provider: "oauth2-refresh", Secret: oauthPlaces("tokenUrl", "introspectUrl"), Admin: oauthAdmin("tokenUrl", "introspectUrl"),
		Key: refreshing,
	},
	{
		Provider: "oauth2-registration",
		Secret: func(a *vendorapi.Account) members {
			return members{
				"clientId": a.Place("clientId"), "tokenUrl": oauthURL(a, "tokenUrl"),
				"registrationUrl": fmt.Sprintf("https://%s/register/%s", a.Place("host"), a.Place("clientId")),
			}
		},
		Key: func(k vendorapi.Key) members {
			return members{"clientSecret": k.Secret, "registrationAccessToken": k.Fields["registration"]}
		},
	},
	{
		Provider: "okta", Key: pair("clientSecretId", "clientSecret"), Secret: places(members{"exclusive": "true"}, "domain", "clientId"),
		Admin: func(a *vendorapi.Account) members {
			return members{"apiToken": a.Admin("apiToken"), "domain": a.Place("domain")}
		},
	},
	{
		Provider: "openai", Key: pair("apiKeyId", "apiKey"), Secret: places(nil, "projectId", "serviceAccountId"),
		Admin: adminOf("adminKey", "admin_key"),
	},
	{Provider: "pagerduty", Key: alone("apiKey"), Secret: none},
	{
		Provider: "rest", Key: pair("keyId", "key"), Secret: restPlaces,
		Admin: func(a *vendorapi.Account) members {
			m := restPlaces(a)
			m["token"] = a.Admin("token")
			return m
		},
	},
	{
		Provider: "sendgrid", Key: pair("apiKeyId", "apiKey"), Secret: places(members{"scopes": "mail.send"}),
		Admin: adminOf("apiKey", "api_key"),
	},
	{
		Provider: "slack", Key: refreshing, Secret: none,
		Admin: func(a *vendorapi.Account) members {
			return members{"clientId": a.Place("clientId"), "clientSecret": a.Admin("client_secret")}
		},
	},
	{Provider: "stripe", Key: alone("apiKey"), Secret: none},
	{
		Provider: "stripe-preview", Key: pair("apiKeyId", "apiKey"), Secret: places(members{"version": "2026-01-01.preview"}),
		Admin: adminOf("apiKey", "key"),
	},
	{
		Provider: "twilio", Key: pair("apiKeySid", "apiKeySecret"), Secret: places(nil, "accountSid"),
		Admin: adminOf("accountSid", "accountSid", "authToken", "authToken"),
	},
	{Provider: "twilio-auth-token", Key: alone("authToken"), Secret: places(nil, "accountSid")},
}

func none(*vendorapi.Account) members { return nil }

func alone(secret string) func(vendorapi.Key) members {
	return func(k vendorapi.Key) members { return members{secret: k.Secret} }
}

func pair(id, secret string) func(vendorapi.Key) members {
	return func(k vendorapi.Key) members { return members{id: k.ID, secret: k.Secret} }
}

func refreshing(k vendorapi.Key) members {
	return members{"accessToken": k.Secret, "refreshToken": k.Fields["refresh"]}
}

// places are ids that the vendor and the secret call alike, and more.
func places(more members, names ...string) func(*vendorapi.Account) members {
	return func(a *vendorapi.Account) members {
		m := members{}
		for name, v := range more {
			m[name] = v
		}
		for _, name := range names {
			m[name] = a.Place(name)
		}
		return m
	}
}

// adminOf takes pairs: what the secret and what the vendor call a value.
func adminOf(pairs ...string) func(*vendorapi.Account) members {
	return func(a *vendorapi.Account) members {
		m := members{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = a.Admin(pairs[i+1])
		}
		return m
	}
}

func oauthURL(a *vendorapi.Account, name string) string {
	path := map[string]string{"tokenUrl": "token", "introspectUrl": "introspect", "revokeUrl": "revoke"}[name]
	return fmt.Sprintf("https://%s/oauth2/%s", a.Place("host"), path)
}

func oauthPlaces(names ...string) func(*vendorapi.Account) members {
	return func(a *vendorapi.Account) members {
		m := members{}
		for _, name := range names {
			m[name] = oauthURL(a, name)
		}
		return m
	}
}

func oauthAdmin(names ...string) func(*vendorapi.Account) members {
	return func(a *vendorapi.Account) members {
		m := oauthPlaces(names...)(a)
		m["clientId"], m["clientSecret"] = a.Place("clientId"), a.Admin("client_secret")
		return m
	}
}

func restPlaces(a *vendorapi.Account) members {
	return members{"keysUrl": fmt.Sprintf("https://%s/v1/keys", a.Place("host")), "checkUrl": fmt.Sprintf("https://%s/v1/me", a.Place("host"))}
}
