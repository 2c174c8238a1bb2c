package rekey

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/rekey-aws/rekey/infra/config"
)

// primary is the stack where secrets are rotated and watched.
type primary struct {
	*deployment
	stack      awscdk.Stack
	recordsKey string
	network    *Network
	retirement *Retirement
	pipelines  map[config.Name]*Pipeline
	functions  map[string]*RotationFunction // by name
	made       map[string]*RotatedSecret    // by path; existing ones are not among them
	forwarder  *Forwarder
	alarms     string // topic
	fleet      *Fleet
}

func (d *deployment) primaryStack() {
	p := &primary{
		deployment: d, pipelines: map[config.Name]*Pipeline{}, functions: map[string]*RotationFunction{}, made: map[string]*RotatedSecret{},
		stack: d.newStack(d.prefix, fmt.Sprintf("Rotates the secrets of %s", d.prefix), d.Regions.Primary),
	}
	d.Primary = p.stack
	if d.Keys != nil {
		p.stack.AddStackDependency(d.Keys, jsii.String("secrets are encrypted with its key"))
	}
	for _, r := range d.Deployment.Replicas {
		p.stack.AddStackDependency(r, jsii.String("replicas of secrets are encrypted with its key"))
	}
	p.keyOfRecords()
	p.buildNetwork()
	p.buildPipelines()
	p.buildFunctions()
	p.buildSecrets()
	p.audit()
	p.watch()
	p.outputs()
}

func (p *primary) deletesRecords() bool { return p.Removal.Records == config.Delete }

func (p *primary) keyOfRecords() {
	props := RecordsKeyProps{Alias: p.prefix + "-records", Administrators: arns(p.Encryption.Administrators), Delete: p.Removal.Keys == config.Delete}
	if p.Audit.Trail.Existing == nil {
		props.Trail = p.prefix
	}
	p.recordsKey = *NewRecordsKey(p.stack, "RecordsKey", props).AttrArn()
}

func (p *primary) buildNetwork() {
	n := p.Network
	if n == nil || n.OutsideVPC {
		return
	}
	props := NetworkProps{Name: p.prefix, RecordsKeyARN: p.recordsKey, LogRetention: p.Functions.LogRetention, Delete: p.deletesRecords()}
	if n.MakesEndpoints() {
		props.Services = p.EndpointServices()
	}
	switch {
	case n.Create != nil:
		props.CIDR = string(n.Create.CIDR)
		for _, z := range n.Create.Zones {
			props.Zones = append(props.Zones, string(z))
		}
	case n.VPC != nil:
		props.VPC, props.Clients, props.Endpoint = string(n.VPC.ID), string(n.VPC.CIDR), string(n.VPC.SecretsManagerEndpoint)
		for _, s := range n.VPC.Subnets {
			props.Subnets = append(props.Subnets, string(s))
		}
	}
	p.network = NewNetwork(p.stack, "Network", props)
}

// settings of a function that rotates.
func (p *primary) settings(name string) config.RotationFunction {
	switch name {
	case config.RotateRDS:
		return p.Functions.RotateRDS
	case config.RotateRedshift:
		return p.Functions.RotateRedshift
	}
	return p.Functions.RotateAPIKey.RotationFunction
}

func (p *primary) grace(name string) time.Duration { return p.settings(name).Grace.Time() }

var issuers = map[config.PipelineProvider][2]string{
	config.GitHub: {"https://token.actions.githubusercontent.com", "sts.amazonaws.com"},
	config.GitLab: {"https://gitlab.com", "https://gitlab.com"},
}

// buildPipelines makes the roles, and one identity provider for each issuer that has none.
func (p *primary) buildPipelines() {
	made := map[string]string{}
	for name, pl := range sorted(p.Pipelines) {
		issuer, audience := pl.Issuer, pl.Audience
		if known, ok := issuers[pl.Provider]; ok {
			issuer = known[0]
			if audience == "" {
				audience = known[1]
			}
		}
		provider := string(pl.IdentityProvider)
		if provider == "" {
			if made[issuer] == "" {
				made[issuer] = *NewIdentityProvider(p.stack, "Tokens"+identifier(issuer), issuer, audience).AttrArn()
			}
			provider = made[issuer]
		}
		p.pipelines[name] = NewPipeline(p.stack, "Pipeline-"+string(name), PipelineProps{
			RoleName: fmt.Sprintf("%s-pipeline-%s", p.prefix, name), Issuer: issuer, Audience: audience,
			Subjects: pl.Subjects, Provider: provider,
		})
	}
}

// roleName is fixed, so that policies and detections can name the role before it is there.
func (p *primary) roleName(function string) string { return p.prefix + "-" + function }

func (p *primary) roleARN(function string) string {
	return fmt.Sprintf("arn:%s:iam::%s:role/%s", *p.stack.Partition(), account(p.stack), p.roleName(function))
}

func (p *primary) function(name, description string, f config.Function, environment map[string]string) FunctionProps {
	code, ok := p.options.Code[name]
	if !ok {
		panic(fmt.Errorf("the file needs the function %s, which was not compiled: give its folder in Options.Code (see rekey.Build)", name))
	}
	return FunctionProps{
		Name: name, Description: description, RoleName: p.roleName(name), Code: code, Environment: environment,
		RecordsKeyARN: p.recordsKey, Memory: f.Memory, Timeout: int(f.Timeout.Time().Seconds()),
		ReservedConcurrency: f.ReservedConcurrency, LogRetention: p.Functions.LogRetention,
		Tracing: p.Functions.Tracing, SigningProfile: string(p.Functions.CodeSigning), Delete: p.deletesRecords(),
	}
}

var descriptions = map[string]string{
	config.RotateRDS:      "Rotates passwords of database users",
	config.RotateRedshift: "Rotates passwords of Redshift users",
	config.RotateAPIKey:   "Rotates keys of vendors and generated secrets",
}

// rotators are the names of the functions that the file's secrets need.
func (p *primary) rotators() []string {
	return slices.DeleteFunc(Functions(p.File), func(name string) bool { return name == config.AuditForwarder })
}

func (p *primary) buildFunctions() {
	for _, name := range p.rotators() {
		if p.retires(name) && p.retirement == nil {
			p.retirement = NewRetirement(p.stack, "Retirement", p.prefix)
		}
	}
	for _, name := range p.rotators() {
		props := p.function(name, descriptions[name], p.settings(name).Function, p.environment(name))
		if name != config.RotateAPIKey && p.network != nil {
			props.Attachment = p.attachment(name)
		}
		if name == config.RotateAPIKey {
			p.addProviders(&props)
			p.asks(&props)
		}
		f := NewRotationFunction(p.stack, identifier(name), props)
		p.functions[name] = f
		if p.retires(name) {
			f.mayPlan(p.retirement)
			p.retirement.Invokes(f.Function, p.recordsKey)
		}
	}
}

// retires: a secret of the function leaves an old credential that is ended after a grace
// period.
func (p *primary) retires(name string) bool {
	return slices.ContainsFunc(p.secrets, func(s config.Resolved) bool { return s.Function == name && s.Retires() })
}

// environment of a function that rotates: see docs/engines/settings.md.
func (p *primary) environment(name string) map[string]string {
	env := map[string]string{}
	if name != config.RotateRedshift {
		env["RETIRE_AFTER"] = "0"
		if p.retires(name) {
			env["RETIRE_AFTER"] = strconv.Itoa(int(p.grace(name).Seconds())) + "s"
			env["RETIRE_ROLE_ARN"] = p.retirement.RoleARN
			env["RETIRE_SCHEDULE_GROUP"] = p.retirement.Group
			env["RETIRE_DEAD_LETTER_ARN"] = arn(p.stack, "sqs", name+"-dead-letters")
		}
	}
	if name == config.RotateAPIKey {
		return env
	}
	env["PASSWORD_LENGTH"] = strconv.Itoa(p.Passwords.Length)
	if p.Passwords.ExcludeCharacters != nil {
		env["EXCLUDE_CHARACTERS"] = *p.Passwords.ExcludeCharacters
	}
	if p.Passwords.ExcludePunctuation {
		env["EXCLUDE_PUNCTUATION"] = "true"
	}
	var hosts []string
	for _, h := range p.Functions.PlaintextHosts {
		hosts = append(hosts, string(h))
	}
	if len(hosts) > 0 {
		env["ALLOW_PLAINTEXT_HOSTS"] = strings.Join(hosts, ",")
	}
	return env
}

func (p *primary) attachment(function string) *Attachment {
	a := &Attachment{VPC: p.network.VPC, Subnets: p.network.Subnets, Endpoints: p.network.Endpoints, HTTPS: p.network.Endpoints == ""}
	for name, db := range sorted(p.Databases) {
		if (db.Engine == config.Redshift) != (function == config.RotateRedshift) {
			continue
		}
		for _, g := range db.SecurityGroups {
			a.Targets = append(a.Targets, Target{Name: "Database " + string(name), SecurityGroup: string(g), Port: port(db)})
		}
		for _, c := range db.CIDRs {
			a.Targets = append(a.Targets, Target{Name: "Database " + string(name), CIDR: string(c), Port: port(db)})
		}
	}
	slices.SortStableFunc(a.Targets, func(x, y Target) int { return strings.Compare(x.key(), y.key()) })
	a.Targets = slices.CompactFunc(a.Targets, func(x, y Target) bool { return x.key() == y.key() })
	return a
}
