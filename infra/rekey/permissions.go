package rekey

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"

	"github.com/rekey-aws/rekey/infra/config"
)

// rotates are what a rotation does with its secret. Those of database users look for a
// password that works in versions without labels, when all others were refused.
func rotates(function string) []string {
	all := []string{
		"secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue",
		"secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage",
	}
	if function != config.RotateAPIKey {
		all = append(all, "secretsmanager:ListSecretVersionIds")
	}
	slices.Sort(all)
	return all
}

// MayRotate lets a function rotate secrets: read and write them, and use their key for them
// and nothing else. Secrets that exist already may have a key that is not known here: the
// encryption context still names the secret.
func (f *RotationFunction) MayRotate(keyARN string, made, existing []string) {
	for i, part := range slices.Collect(slices.Chunk(slices.Concat(made, existing), secretsOfPolicy)) {
		name := "Rotate"
		if i > 0 {
			name = fmt.Sprintf("Rotate%d", i+1)
		}
		keys, wide := []string{keyARN}, ""
		if slices.ContainsFunc(part, func(s string) bool { return slices.Contains(existing, s) }) {
			keys = append(keys, arn(f.Construct, "kms", "key/*"))
			wide = "The key of a secret that existed before is not known here. The encryption context names the secrets that it may be used for."
		}
		encrypt := throughSecretsManager(f.Construct, "Encrypt", []string{"kms:Decrypt", "kms:GenerateDataKey"}, keys, part)
		encrypt.Wide = wide
		f.May(name, "The secrets that "+f.Name+" rotates",
			Statement{Sid: "Rotate", Actions: rotates(f.Name), Resources: part},
			encrypt,
		)
	}
}

// secretsOfPolicy is how many secrets' ARNs fit into a policy twice: it has 6,144 characters
// at most.
const secretsOfPolicy = 20

func throughSecretsManager(scope constructs.Construct, sid string, actions, keys, secrets []string) Statement {
	return Statement{
		Sid: sid, Actions: actions, Resources: keys,
		Conditions: Conditions{"StringEquals": {
			"kms:ViaService": endpointOf(scope, "secretsmanager"), "kms:EncryptionContext:SecretARN": secrets,
		}},
	}
}

// sealed is a secret of someone else, with the key that encrypts it or "".
type sealed struct{ secret, key config.ARN }

// mayRead lets a function read secrets that it does not rotate, such as an administrator's.
func (f *Function) mayRead(name, description string, all []sealed) {
	slices.SortFunc(all, func(a, b sealed) int { return cmp.Compare(a.secret, b.secret) })
	all = slices.Compact(all)
	if len(all) == 0 {
		return
	}
	var secrets, encrypted, keys []string
	for _, a := range all {
		secrets = append(secrets, string(a.secret))
		if a.key != "" {
			encrypted, keys = append(encrypted, string(a.secret)), append(keys, string(a.key))
		}
	}
	statements := []Statement{{Sid: "Read", Actions: []string{"secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"}, Resources: secrets}}
	if len(keys) > 0 {
		slices.Sort(keys)
		statements = append(statements, throughSecretsManager(f.Construct, "Decrypt", []string{"kms:Decrypt"}, slices.Compact(keys), encrypted))
	}
	f.May(name, description, statements...)
}

// mayAskRDS lets a function find the server that an administrator belongs to, and log in to
// it with a token of IAM.
func (f *Function) mayAskRDS(databases []config.Database) {
	var logins []string
	ask := false
	for _, db := range databases {
		if db.Admin == nil {
			continue
		}
		ask = true
		if db.Admin.IAMUser != "" {
			logins = append(logins, arn(f.Construct, "rds-db", fmt.Sprintf("dbuser:%s/%s", db.Admin.ResourceID, db.Admin.IAMUser)))
		}
	}
	if !ask {
		return
	}
	statements := []Statement{{
		Sid: "Find", Wide: "The server is found by its host's name, so none can be named here. Descriptions hold no secret.",
		Actions: []string{
			"rds:DescribeDBClusterEndpoints", "rds:DescribeDBClusters", "rds:DescribeDBInstances", "rds:DescribeGlobalClusters",
		},
		Resources: []string{
			arn(f.Construct, "rds", "cluster-endpoint:*"), arn(f.Construct, "rds", "cluster:*"), arn(f.Construct, "rds", "db:*"),
			fmt.Sprintf("arn:%s:rds::%s:global-cluster:*", *awscdk.Stack_Of(f.Construct).Partition(), account(f.Construct)),
		},
	}}
	if len(logins) > 0 {
		slices.Sort(logins)
		statements = append(statements, Statement{Sid: "LogIn", Actions: []string{"rds-db:connect"}, Resources: slices.Compact(logins)})
	}
	f.May("RDS", "What "+f.Name+" asks of RDS", statements...)
}

// mayPlan lets a function plan the end of old credentials.
func (f *Function) mayPlan(r *Retirement) {
	f.May("Retire", "Plans the end of old credentials",
		Statement{
			Sid: "Plan", Actions: []string{"scheduler:CreateSchedule"},
			Resources: []string{arn(f.Construct, "scheduler", "schedule/"+r.Group+"/*")},
			Wide:      "Schedules of this deployment's group; each is named after the rotation that plans it.",
		},
		Statement{
			Sid: "HandOver", Actions: []string{"iam:PassRole"}, Resources: []string{r.RoleARN},
			Conditions: Conditions{"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}},
		},
	)
}

// port of a database, or its engine's usual one.
func port(db config.Database) int {
	if db.Port != 0 {
		return db.Port
	}
	switch {
	case db.Engine == config.Redshift:
		return 5439
	case strings.Contains(string(db.Engine), "postgres"):
		return 5432
	}
	return 3306
}
