// Package declarative makes an [apikey.Provider] of a YAML file: a new vendor is
// a file, not a program. docs/adding-a-provider.md writes one from start to
// finish; [File] is the format, and providers/schema.json its JSON Schema, for
// editors.
//
// # Templates
//
// Strings that make up requests may hold ${…}: a jq expression over
//
//	.settings.NAME   the settings of the secret, and their defaults
//	.admin.NAME      the credential that manages keys
//	.current.NAME    the secret's own current credential (before, issue, retire)
//	.key.NAME        the credential in question (check, install, revoke, retire)
//	.id              its id (check, install, revoke, retire)
//	.name            the name of the key to issue (before, issue)
//	.order           the idempotency key, 32 hexadecimal digits (before, issue)
//	.now             Unix seconds
//
// A template that is one ${…} and nothing else keeps the type of its value, so
// that JSON bodies can hold numbers and arrays. In a URL the values are escaped.
// In a body, a query and a form a member that is null is left out; everywhere
// else null is an error, so that nothing is sent half. jq has what vendors need:
// @base64, @uri, tojson, todate, split, test, tonumber.
//
// # Meaning of answers
//
// In this order: the request's "errors", the file's "errors", "success" (any 2xx
// if absent) with "ok", and then by status: 401 refused, 403 denied, 404 and 410
// gone in revoke and vendor elsewhere, 400, 405, 409, 415 and 422 vendor, 429
// throttled, 408 and 5xx may pass.
//
// A request that was throttled is made again after Retry-After, if there is time;
// so is one that may pass, if doing it twice does no harm: GET, HEAD, DELETE,
// PUT, "check", "install", "revoke", and "issue" with an idempotency header.
package declarative
