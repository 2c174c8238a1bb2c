package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/account"
	"github.com/rekey-aws/rekey/shared/engines/apikey"
	"github.com/rekey-aws/rekey/shared/engines/rds"
	"github.com/rekey-aws/rekey/shared/engines/redshift"
	"github.com/rekey-aws/rekey/shared/rotation"
	"github.com/rekey-aws/rekey/shared/secretstore"
)

// examineHere does in this process what the function would: the same engine, over the caller's
// network and with the caller's credentials, under the function's settings as far as they
// could be read.
func (e *Examiner) examineHere(ctx context.Context, cfg aws.Config, f *facts) (*rotation.Diagnosis, []rotation.Finding) {
	keys, err := cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, []rotation.Finding{rotation.Found("credentials", "", account.Explain(ctx, "credentials", err))}
	}
	api := account.SecretsManager(cfg)
	kind, err := kindOf(ctx, api, aws.ToString(f.secret.ARN))
	if err != nil {
		said, remedy := apart(err)
		return nil, []rotation.Finding{fail("values", remedy, "%s", said)}
	}
	m := &rotation.Machine{Store: secretstore.New(api)}
	settings := f.environment(cfg, keys)
	var badClient, badSettings error
	switch kind {
	case "apikey":
		m.Engine, badClient, badSettings = apikey.Engine(settings, 0)
	case "redshift":
		m.Engine, badClient, badSettings = redshift.Engine(settings)
	default:
		m.Engine, badClient, badSettings = rds.Engine(settings)
	}
	m.Misconfigured = errors.Join(badClient, badSettings)
	d, err := m.Diagnose(ctx, aws.ToString(f.secret.ARN))
	if err != nil {
		return nil, []rotation.Finding{rotation.Found("here", "", err)}
	}
	return d, nil
}

// kindOf reads of the secret's value which of the engines rotates it, as the functions' own
// documents tell: only keys have a "provider", and users of Redshift say so in "engine".
func kindOf(ctx context.Context, api *secretsmanager.Client, arn string) (string, error) {
	out, err := api.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &arn})
	if err != nil {
		return "", account.Explain(ctx, "reading AWSCURRENT: GetSecretValue", err)
	}
	var document struct{ Provider, Engine string }
	_ = json.Unmarshal([]byte(aws.ToString(out.SecretString)), &document) // of another form: the engine says so
	switch {
	case document.Provider != "":
		return "apikey", nil
	case strings.EqualFold(document.Engine, "redshift"):
		return "redshift", nil
	}
	return "rds", nil
}

// environment is what the function finds, with the caller's credentials. Files of the
// function's package are not here, and neither are the settings of its network.
func (f *facts) environment(cfg aws.Config, keys aws.Credentials) func(string) (string, bool) {
	values := map[string]string{}
	if f.function != nil && f.function.Environment != nil {
		for name, value := range f.function.Environment.Variables {
			if !strings.HasPrefix(name, "AWS_") && name != "PROVIDERS_DIR" && name != "SECRETS_MANAGER_ENDPOINT" {
				values[name] = value
			}
		}
	}
	values["AWS_REGION"] = cfg.Region
	values["AWS_ACCESS_KEY_ID"], values["AWS_SECRET_ACCESS_KEY"], values["AWS_SESSION_TOKEN"] = keys.AccessKeyID, keys.SecretAccessKey, keys.SessionToken
	if cfg.BaseEndpoint != nil {
		values["AWS_ENDPOINT_URL"] = *cfg.BaseEndpoint
	}
	return func(name string) (string, bool) {
		value, found := values[name]
		return value, found
	}
}
