package secretsmanager

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// No value is encrypted with a key of KMS: a key is kept, reported, checked for form, and must
// exist if the server knows which do.

// defaultKey is the account's own key for the service, which needs no declaration.
const defaultKey = "alias/aws/secretsmanager"

// The forms of a KmsKeyId: https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#key-id
var keyForm = regexp.MustCompile(`^(?:(arn:aws[a-z-]*:kms:([a-z0-9-]+):[0-9]{12}):)?(alias/[A-Za-z0-9/_-]+|key/[A-Za-z0-9-]+|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32})$`)

// kmsKey checks a KmsKeyId for use in a Region. The texts begin as AWS's do: recorded in
// https://github.com/hashicorp/terraform-provider-aws/pull/13303 and by CDK users for an ARN
// of another Region; what follows is KMS's own text.
func (s *Server) kmsKey(id *string, region string) error {
	if err := length("KmsKeyId", id, 0, 2048); err != nil || deref(id) == "" {
		return err
	}
	wrong := func(format string, args ...any) error {
		return invalidParameter("The operation failed because of an invalid KMS key: "+format, args...)
	}
	part := keyForm.FindStringSubmatch(*id)
	switch {
	case part == nil, (part[1] != "") != (strings.HasPrefix(part[3], "key/") || part[1] != "" && strings.HasPrefix(part[3], "alias/")):
		return wrong("Invalid keyId")
	case part[1] != "" && part[2] != region:
		return wrong("Invalid arn %s", part[2])
	case part[3] == defaultKey || s.opt.Keys == nil || slices.ContainsFunc(s.opt.Keys, func(k string) bool { return sameKey(k, *id, region) }):
		return nil
	case strings.HasPrefix(part[3], "alias/"):
		return wrong("Alias %s is not found.", *id)
	}
	return wrong("Key '%s' does not exist", *id)
}

// checkKeys refuses declared keys that no id could name.
func checkKeys(keys []string) error {
	for _, k := range keys {
		if !keyForm.MatchString(k) {
			return fmt.Errorf("local Secrets Manager: the declared KMS key %q is none: give an ARN, a key id or an alias such as alias/app", k)
		}
	}
	return nil
}

// sameKey says whether a declared key answers to an id in a Region: one of them may be an ARN
// and the other what follows in it.
func sameKey(declared, id, region string) bool {
	d, g := keyForm.FindStringSubmatch(declared), keyForm.FindStringSubmatch(id)
	if d == nil || g == nil || d[1] != "" && (d[2] != region || g[1] != "" && d[1] != g[1]) {
		return false
	}
	return strings.TrimPrefix(d[3], "key/") == strings.TrimPrefix(g[3], "key/")
}

// encrypted is the key of a version as ListSecretVersionIds reports it.
func (v *version) encrypted() []string {
	if v.KmsKeyId == "" || v.KmsKeyId == defaultKey {
		return []string{"DefaultEncryptionKey"} // what AWS reports for its own key
	}
	return []string{v.KmsKeyId}
}

// encryptWith changes the key. The versions that the service re-encrypts are those that have
// one of its labels: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecret.html
func (s *secret) encryptWith(key string) {
	s.KmsKeyId = key
	for _, v := range s.Versions {
		if v.has(current) || v.has(pending) || v.has(previous) {
			v.KmsKeyId = key
		}
	}
}

// readableBy refuses the value of a secret to another account if the key is the account's own.
// Recorded: https://github.com/localstack/localstack, test_secretsmanager.py, test_cross_account_access.
func (s *secret) readableBy(c *caller) error {
	if c.account != s.Account && (s.KmsKeyId == "" || s.KmsKeyId == defaultKey) {
		return invalidRequest("You can't access a secret from a different AWS account if you encrypt the secret with the default KMS service key.")
	}
	return nil
}
