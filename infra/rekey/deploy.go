package rekey

import (
	"fmt"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/rekey-aws/rekey/infra/config"
)

// Options are what a deployment is told beside its file.
type Options struct {
	// Code is the folder of each function's executable, by the function's name; see [Build].
	// [Functions] says which are needed.
	Code map[string]string
	// MonthlyCost, such as "about $12.30", is an output of the primary stack, if given.
	MonthlyCost string
}

// Functions are the functions that a file needs, ordered by name.
func Functions(f *config.File) []string {
	names := []string{config.AuditForwarder}
	for _, s := range f.Secrets() {
		names = append(names, s.Function)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Deployment is the stacks of one file.
type Deployment struct {
	// Keys is nil where the file names a key that exists.
	Keys    awscdk.Stack
	Primary awscdk.Stack
	// Replicas in the order of the file.
	Replicas []awscdk.Stack
}

// Deploy composes the stacks of a file: the secrets' key, which never moves; one for each
// Region with replicas, because a replica's key is there before the replica; and the primary
// with everything else.
func Deploy(app awscdk.App, f *config.File, o Options) *Deployment {
	d := &deployment{File: f, options: o, app: app, prefix: fmt.Sprintf("%s-%s", f.Name, f.Environment), secrets: f.Secrets()}
	d.keyStack()
	for _, r := range f.Regions.Replicas {
		d.replicaStack(r)
	}
	d.primaryStack()
	Comply(app, f.Compliance.Packs...)
	return &d.Deployment
}

// deployment is what the stacks of one file have in common.
type deployment struct {
	*config.File
	Deployment
	options Options
	app     awscdk.App
	// prefix of all names.
	prefix  string
	secrets []config.Resolved

	secretsKey string // ARN
	keyID      string
	replicas   []Replica
}

func (d *deployment) newStack(name, description string, region config.Region) awscdk.Stack {
	s := awscdk.NewStack(d.app, &name, &awscdk.StackProps{
		StackName: &name, Description: &description, TerminationProtection: &d.Removal.Protection,
		Env: &awscdk.Environment{Account: jsii.String(string(d.Account)), Region: jsii.String(string(region))},
	})
	for key, value := range sorted(d.Tags) {
		awscdk.Tags_Of(s).Add(&key, &value, nil)
	}
	awscdk.Tags_Of(s).Add(jsii.String(tagDeployment), &d.prefix, nil)
	return s
}

// tagDeployment marks everything that a deployment makes.
const tagDeployment = "rekey:deployment"

// keyProps are alike in all Regions.
func (d *deployment) keyProps() SecretsKeyProps {
	p := SecretsKeyProps{
		Alias: d.prefix, Delete: d.Removal.Keys == config.Delete, Administrators: arns(d.Encryption.Administrators),
		Secrets: []string{d.prefixOfSecrets() + "*"},
	}
	for _, s := range d.secrets {
		if s.Existing != "" {
			continue
		}
		if own := d.prefixOfSecrets(); len(s.Name) < len(own) || s.Name[:len(own)] != own {
			p.Secrets = append(p.Secrets, s.Name)
		}
		p.Readers = append(p.Readers, arns(s.Readers.ARNs)...)
		p.Readers = append(p.Readers, arns(s.Writers.ARNs)...)
	}
	slices.Sort(p.Readers)
	p.Readers = slices.Compact(p.Readers)
	return p
}

// prefixOfSecrets is what the names of secrets begin with, unless the file names them otherwise.
func (d *deployment) prefixOfSecrets() string { return fmt.Sprintf("%s/%s/", d.Name, d.Environment) }

func (d *deployment) keyStack() {
	if key := d.Encryption.Key; key != "" {
		d.secretsKey = string(key)
		_, _, _, resource := key.Parts()
		d.keyID = resource[len("key/"):]
		return
	}
	d.Keys = d.newStack(d.prefix+"-keys", "The key of the secrets of "+d.prefix, d.Regions.Primary)
	key := NewSecretsKey(d.Keys, "SecretsKey", d.keyProps())
	d.secretsKey, d.keyID = *key.AttrArn(), *key.Ref()
	output(d.Keys, "SecretsKeyArn", d.secretsKey, "Encrypts the secrets", d.prefix+"-secrets-key")
}

func output(s constructs.Construct, id, value, description, export string) {
	p := &awscdk.CfnOutputProps{Value: &value, Description: &description}
	if export != "" {
		p.ExportName = &export
	}
	awscdk.NewCfnOutput(s, &id, p)
}

func arns(all []config.ARN) []string {
	out := make([]string, 0, len(all))
	for _, a := range all {
		out = append(out, string(a))
	}
	return out
}
