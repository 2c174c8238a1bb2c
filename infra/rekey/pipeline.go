package rekey

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// PipelineProps are the properties of a build's role.
type PipelineProps struct {
	// RoleName that the pipeline's configuration names.
	RoleName string
	// Issuer of its tokens, https://…; Audience that they are for.
	Issuer, Audience string
	// Subjects: the claims "sub" that are let in. * stands for any text.
	Subjects []string
	// Provider in IAM for this issuer, by ARN. Empty: one is made.
	Provider string
}

// Pipeline is the role of a build that logs in by OpenID Connect, without a stored key.
type Pipeline struct {
	Construct constructs.Construct
	RoleARN   string

	role awsiam.CfnRole
}

// NewPipeline makes the role, and the identity provider unless there is one.
func NewPipeline(scope constructs.Construct, id string, p PipelineProps) *Pipeline {
	c := &Pipeline{}
	c.Construct = constructs.NewConstruct(scope, &id)
	provider := p.Provider
	if provider == "" {
		provider = *NewIdentityProvider(c.Construct, "Provider", p.Issuer, p.Audience).AttrArn()
	}
	host := strings.TrimPrefix(p.Issuer, "https://")
	exact, like := []string{}, []string{}
	for _, s := range p.Subjects {
		if strings.Contains(s, "*") {
			like = append(like, s)
		} else {
			exact = append(exact, s)
		}
	}
	conditions := Conditions{"StringEquals": {host + ":aud": p.Audience}}
	switch {
	case len(like) == 0:
		conditions = conditions.and(Conditions{"StringEquals": {host + ":sub": exact}})
	default: // StringLike compares those without a star exactly
		conditions = conditions.and(Conditions{"StringLike": {host + ":sub": p.Subjects}})
	}
	c.role = role(c.Construct, "Role", p.RoleName, "Pipeline "+p.RoleName, Statement{Federated: provider, Conditions: conditions})
	c.RoleARN = *c.role.AttrArn()
	return c
}

// NewIdentityProvider makes the provider in IAM for an issuer. IAM trusts the authorities of
// well-known issuers by itself, so no thumbprint is given:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc_verify-thumbprint.html
func NewIdentityProvider(scope constructs.Construct, id, issuer, audience string) awsiam.CfnOIDCProvider {
	return awsiam.NewCfnOIDCProvider(scope, &id, &awsiam.CfnOIDCProviderProps{Url: jsii.String(issuer), ClientIdList: texts(audience)})
}

// MayDecrypt lets the pipeline's role use the secrets' key, through Secrets Manager and for
// these secrets only. That it may read them, their own policies say.
func (c *Pipeline) MayDecrypt(keyARN string, secretARNs ...string) {
	attach(c.Construct, "Role", c.role, namedPolicy{"Decrypt", "Decrypts secrets that the pipeline reads", []Statement{{
		Sid: "DecryptThroughSecretsManager", Actions: []string{"kms:Decrypt"}, Resources: []string{keyARN},
		Conditions: Conditions{"StringEquals": {
			"kms:ViaService": endpointOf(c.Construct, "secretsmanager"), "kms:EncryptionContext:SecretARN": secretARNs,
		}},
	}}})
}
