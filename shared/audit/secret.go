package audit

import "strings"

// Secret names a secret. A caller may name one by name or by ARN, and CloudTrail records what
// the caller gave: ARN is empty if no record told it. Name, Account and Region are what
// [Secret.Key] is made of, so that both namings are one secret.
type Secret struct {
	ARN     string `json:"arn,omitempty"`
	Name    string `json:"name,omitempty"`
	Account string `json:"account,omitempty"`
	Region  string `json:"region,omitempty"`
}

// NamedSecret is the secret behind a SecretId, an ARN or a name, as one of an account and a
// Region unless it is an ARN, which says so itself. What is neither is no secret: the zero
// Secret.
func NamedSecret(id, account, region string) Secret {
	if !isSecretID(id) {
		return Secret{}
	}
	if !strings.HasPrefix(id, "arn:") {
		return Secret{Name: id, Account: account, Region: region}
	}
	// arn:partition:secretsmanager:region:account:secret:name-AbCdEf
	rest := id
	var part [6]string
	for n := range part {
		var ok bool
		if part[n], rest, ok = strings.Cut(rest, ":"); !ok {
			return Secret{}
		}
	}
	if part[2] != "secretsmanager" || part[5] != "secret" || rest == "" {
		return Secret{}
	}
	return Secret{ARN: id, Name: withoutSuffix(rest), Account: part[4], Region: part[3]}
}

// Key tells secrets apart, however they were named.
func (s Secret) Key() string {
	if s.Name == "" {
		return ""
	}
	return s.Account + "/" + s.Region + "/" + s.Name
}

// String is the secret for people: its name, else "no secret".
func (s Secret) String() string {
	if s.Name == "" {
		return "no secret"
	}
	return s.Name
}

// isSecretID says whether text has the form of a secret's name or ARN:
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html
func isSecretID(text string) bool {
	if text == "" || len(text) > 2048 {
		return false
	}
	for i := range len(text) {
		switch c := text[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case strings.IndexByte("/_+=.@-!:", c) >= 0:
		default:
			return false
		}
	}
	return true
}

// suffix is the length of what Secrets Manager appends to a name in an ARN: a hyphen and six
// characters.
const suffix = 7

func withoutSuffix(name string) string {
	cut := len(name) - suffix
	if cut <= 0 || name[cut] != '-' || strings.ContainsAny(name[cut+1:], "/_+=.@-!:") {
		return name // an ARN without it is taken too
	}
	return name[:cut]
}
