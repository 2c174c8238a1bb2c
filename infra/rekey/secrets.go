package rekey

import (
	"slices"

	"github.com/rekey-aws/rekey/infra/config"
)

// buildSecrets makes the secrets and lets the functions rotate them.
func (p *primary) buildSecrets() {
	made, existing := map[string][]string{}, map[string][]string{}
	admins := map[string][]sealed{}
	databases := map[string][]config.Database{}
	reads := map[config.Name][]string{}
	for _, s := range p.secrets {
		secret := NewRotatedSecret(p.stack, s.Path, p.secret(s))
		if s.Existing != "" {
			existing[s.Function] = append(existing[s.Function], secret.ARN)
		} else {
			made[s.Function] = append(made[s.Function], secret.ARN)
			p.made[s.Path] = secret
		}
		switch {
		case s.Database != nil && s.Database.Admin != nil:
			databases[s.Function] = append(databases[s.Function], *s.Database)
			if s.Database.Admin.Secret != "" {
				admins[s.Function] = append(admins[s.Function], sealed{s.Database.Admin.Secret, s.Database.Admin.Key})
			}
		case s.APIKey != nil && s.APIKey.Admin != "":
			admins[s.Function] = append(admins[s.Function], sealed{s.APIKey.Admin, s.APIKey.AdminKey})
		case s.Generated != nil && s.Generated.Authority != "":
			admins[s.Function] = append(admins[s.Function], sealed{s.Generated.Authority, s.Generated.AuthorityKey})
		}
		for _, name := range slices.Concat(s.Readers.Pipelines, s.Writers.Pipelines) {
			if !slices.Contains(reads[name], secret.ARN) {
				reads[name] = append(reads[name], secret.ARN)
			}
		}
	}
	for name, f := range sorted(p.functions) {
		f.MayRotate(p.secretsKey, made[name], existing[name])
		f.mayRead("Admins", "Secrets of administrators", admins[name])
		switch name {
		case config.RotateRDS:
			f.mayAskRDS(databases[name])
		case config.RotateRedshift:
			f.mayAskRedshift(databases[name])
		}
	}
	p.mayManageKeys()
	p.mayAsk()
	for name, pl := range sorted(p.pipelines) {
		if len(reads[name]) > 0 {
			pl.MayDecrypt(p.secretsKey, reads[name]...)
		}
	}
}

func (p *primary) secret(s config.Resolved) RotatedSecretProps {
	function := p.functions[s.Function]
	props := RotatedSecretProps{
		Name: s.Name, Existing: string(s.Existing), Description: s.Description, KeyARN: p.secretsKey,
		Tags: merged(s.Tags, tagsOf(s)), Delete: p.Removal.Secrets == config.Delete,
		Access: Access{
			Readers: p.principals(s.Readers), Writers: p.principals(s.Writers),
			Rotators: p.rotatorsOf(s), Organization: string(p.Organization),
		},
		Rotation: Rotation{
			FunctionARN: function.AliasARN, Expression: s.Schedule.Expression(),
			Window: int(s.Schedule.Window.Time().Hours()), Immediately: s.RotateImmediately, Permission: function.Permission,
		},
	}
	if s.Replicate {
		props.Replicas = p.replicas
	}
	if s.OnlyFromVPC && p.network != nil && p.network.SecretsManager != "" {
		props.Access.Endpoints = []string{p.network.SecretsManager}
		for _, r := range p.Regions.Replicas {
			if s.Replicate && r.Endpoint != "" {
				props.Access.Endpoints = append(props.Access.Endpoints, string(r.Endpoint))
			}
		}
	}
	return props
}

// tagFunction says which function rotates a secret, tagStrategy how: rekey status shows them.
const (
	tagFunction = "rekey:function"
	tagStrategy = "rekey:strategy"
)

func tagsOf(s config.Resolved) map[string]string {
	tags := map[string]string{tagFunction: s.Function}
	if strategy := s.RotationStrategy(); strategy != "" {
		tags[tagStrategy] = strategy
	}
	return tags
}

// rotatorsOf are the role that rotates a secret, and those for which it is the
// administrator's.
func (p *primary) rotatorsOf(s config.Resolved) []string {
	all := []string{p.functions[s.Function].RoleARN}
	for _, other := range p.secrets {
		admin := config.ARN("")
		switch {
		case other.Database != nil && other.Database.Admin != nil:
			admin = other.Database.Admin.Secret
		case other.APIKey != nil:
			admin = other.APIKey.Admin
		}
		if role := p.functions[other.Function].RoleARN; admin != "" && admin == s.Existing && !slices.Contains(all, role) {
			all = append(all, role)
		}
	}
	return all
}

func (p *primary) principals(c config.Principals) Principals {
	all := Principals{ARNs: arns(c.ARNs), Tagged: c.Tagged}
	for _, name := range c.Pipelines {
		all.ARNs = append(all.ARNs, p.pipelines[name].RoleARN)
	}
	return all
}
