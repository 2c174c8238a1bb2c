package rekey

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3assets"
	"github.com/aws/jsii-runtime-go"

	"github.com/rekey-aws/rekey/infra/config"
	"github.com/rekey-aws/rekey/shared/audit"
	"github.com/rekey-aws/rekey/shared/audit/forwarder"
)

// audit makes the trail, unless there is one, and the forwarder with its sinks.
func (p *primary) audit() {
	if p.Audit.Trail.Existing == nil {
		props := AuditTrailProps{
			Name: p.prefix, RecordsKeyARN: p.recordsKey, Days: int(p.Audit.Trail.Retention.Time().Hours() / 24),
			LogRetention: p.Functions.LogRetention, Delete: p.deletesRecords(),
		}
		if lock := p.Audit.Trail.ObjectLock; lock != nil {
			props.Lock = ObjectLock{Mode: strings.ToUpper(string(lock.Mode)), Days: lock.Days}
		}
		trail := NewAuditTrail(p.stack, "Trail", props)
		CountEvents(trail.Construct, "Count", trail.LogGroup)
		output(p.stack, "TrailBucket", trail.Bucket, "Records of CloudTrail", p.prefix+"-trail-bucket")
	} else if group := p.Audit.Trail.Existing.LogGroup; group != "" {
		CountEvents(p.stack, "Count", group)
	}

	settings, statements := p.sinks()
	settings.Detect = p.detect()
	props := p.function(config.AuditForwarder, "Turns what CloudTrail records into alerts", p.Functions.AuditForwarder, map[string]string{})
	p.configure(&props, settings)
	var watched []*Function
	for _, f := range sorted(p.functions) {
		watched = append(watched, f.Function)
	}
	p.forwarder = NewForwarder(p.stack, "Audit", ForwarderProps{
		Name: p.prefix, Function: props, Sinks: statements, Watched: watched, Delete: p.deletesRecords(),
	})
}

// detect is what is ordinary in this deployment.
func (p *primary) detect() audit.Config {
	c := audit.Config{
		RotationFunctions: p.rotators(), Regions: []string{string(p.Regions.Primary)},
		Deployers: []string{deployers(p.stack)}, Alerting: []string{p.prefix + "-*", config.AuditForwarder},
		Trails: []string{p.prefix},
	}
	if trail := p.Audit.Trail.Existing; trail != nil {
		c.Trails = []string{string(trail.Trail)}
	}
	for _, name := range p.rotators() {
		c.RotationRoles = append(c.RotationRoles, p.roleARN(name))
	}
	for _, r := range p.Regions.Replicas {
		c.Regions = append(c.Regions, string(r.Region))
	}
	for _, r := range p.Audit.ApprovedRegions {
		c.Regions = append(c.Regions, string(r))
	}
	for _, d := range p.Audit.Decoys {
		c.Decoys = append(c.Decoys, string(d))
	}
	readers := map[string][]string{}
	for _, d := range p.Alerts.Destinations { // the forwarder reads their addresses and keys
		for _, at := range []*config.Sealed{d.Slack, d.Teams, d.PagerDuty, d.Webhook} {
			if at != nil {
				forwarder := p.roleARN(config.AuditForwarder)
				readers[forwarder] = append(readers[forwarder], string(at.Secret))
			}
		}
	}
	for _, s := range p.secrets {
		known := arns(slices.Concat(s.Readers.ARNs, s.Writers.ARNs))
		for _, name := range slices.Concat(s.Readers.Pipelines, s.Writers.Pipelines) {
			known = append(known, p.roleARN("pipeline-"+string(name)))
		}
		for _, k := range known {
			readers[k] = append(readers[k], s.Name)
		}
	}
	for principal, secrets := range sorted(readers) {
		c.KnownReaders = append(c.KnownReaders, audit.KnownReader{Principal: principal, Secrets: slices.Compact(slices.Sorted(slices.Values(secrets)))})
	}
	return c
}

// sinks are the file's destinations, and what the forwarder may do to reach them.
func (p *primary) sinks() (forwarder.Settings, []Statement) {
	var s forwarder.Settings
	var sealedSinks []sealed
	var topics, topicKeys, streams []string
	hub := false
	for name, d := range sorted(p.Alerts.Destinations) {
		sink := forwarder.SinkSettings{Name: string(name)}
		if d.Severity != "" {
			from, err := audit.ParseSeverity(string(d.Severity))
			if err != nil {
				panic(fmt.Errorf("alerts.destinations.%s: %w", name, err))
			}
			sink.From = from
		}
		chat := func(at *config.Sealed) *forwarder.ChatSettings {
			if at == nil {
				return nil
			}
			sealedSinks = append(sealedSinks, sealed{at.Secret, at.Key})
			return &forwarder.ChatSettings{Secret: string(at.Secret)}
		}
		sink.Slack, sink.Teams, sink.PagerDuty = chat(d.Slack), chat(d.Teams), chat(d.PagerDuty)
		if c := chat(d.Webhook); c != nil {
			sink.Webhook = &forwarder.WebhookSettings{Secret: c.Secret}
		}
		switch {
		case d.SNS != nil:
			sink.SNS = &forwarder.TopicSettings{Topic: string(d.SNS.Topic)}
			topics = append(topics, string(d.SNS.Topic))
			if d.SNS.Key != "" {
				topicKeys = append(topicKeys, string(d.SNS.Key))
			}
		case d.Email != nil:
			topicName := fmt.Sprintf("%s-alerts-%s", p.prefix, name)
			NewTopic(p.stack, "Alerts-"+string(name), topicName, "rekey: "+p.prefix, p.recordsKey, nil, addresses(d.Email)...)
			topic := arn(p.stack, "sns", topicName)
			sink.SNS = &forwarder.TopicSettings{Topic: topic}
			topics, topicKeys = append(topics, topic), append(topicKeys, p.recordsKey)
		case d.SecurityHub != nil:
			sink.SecurityHub, hub = &forwarder.SecurityHubSettings{}, true
		case d.Firehose != nil:
			_, _, _, resource := d.Firehose.Stream.Parts()
			sink.Firehose = &forwarder.StreamSettings{Stream: strings.TrimPrefix(resource, "deliverystream/")}
			streams = append(streams, string(d.Firehose.Stream))
		}
		s.Sinks = append(s.Sinks, sink)
	}
	return s, p.sinkStatements(sealedSinks, topics, topicKeys, streams, hub)
}

func (p *primary) sinkStatements(secrets []sealed, topics, topicKeys, streams []string, hub bool) []Statement {
	var all []Statement
	for _, s := range secrets {
		all = append(all, Statement{Actions: []string{"secretsmanager:GetSecretValue"}, Resources: []string{string(s.secret)}})
		if s.key != "" {
			all = append(all, throughSecretsManager(p.stack, "", []string{"kms:Decrypt"}, []string{string(s.key)}, []string{string(s.secret)}))
		}
	}
	if len(topics) > 0 {
		all = append(all, Statement{Actions: []string{"sns:Publish"}, Resources: topics})
	}
	if len(topicKeys) > 0 {
		slices.Sort(topicKeys)
		all = append(all, Statement{
			Actions: []string{"kms:Decrypt", "kms:GenerateDataKey"}, Resources: slices.Compact(topicKeys),
			Conditions: Conditions{"StringEquals": {"kms:ViaService": endpointOf(p.stack, "sns")}},
		})
	}
	if hub {
		all = append(all, Statement{
			Actions: []string{"securityhub:BatchImportFindings"}, Resources: []string{fmt.Sprintf("arn:%s:securityhub:%s:%s:product/%s/default", *p.stack.Partition(), *p.stack.Region(), account(p.stack), account(p.stack))},
		})
	}
	if len(streams) > 0 {
		all = append(all, Statement{Actions: []string{"firehose:PutRecordBatch"}, Resources: streams})
	}
	return all
}

func addresses(e *config.Email) []string {
	all := make([]string, 0, len(e.Addresses))
	for _, a := range e.Addresses {
		all = append(all, string(a))
	}
	return all
}

// configure gives the forwarder its settings: in the environment, or in a layer where they
// are too long for it. Lambda allows 4 KB for all variables.
func (p *primary) configure(props *FunctionProps, s forwarder.Settings) {
	s.Playbooks = playbooks
	text, err := json.Marshal(s)
	if err == nil {
		_, err = forwarder.Read(string(text))
	}
	if err != nil {
		panic(fmt.Errorf("the settings of %s: %w", config.AuditForwarder, err))
	}
	props.Environment[forwarder.EnvDeadLetters] = fmt.Sprintf("https://sqs.%s/%s/%s-dead-letters", strings.TrimPrefix(endpointOf(p.stack, "sqs"), "sqs."), account(p.stack), props.Name)
	if len(text) <= 3000 {
		props.Environment[forwarder.EnvConfig] = string(text)
		return
	}
	props.Environment[forwarder.EnvConfig] = "/opt/forwarder.json"
	props.Layers = []string{p.layer("ForwarderSettings", map[string][]byte{"forwarder.json": text})}
}

// playbooks is where the pages that alerts link to are read.
const playbooks = "https://github.com/rekey-aws/rekey/blob/main/docs/playbooks/"

// layer holds files, which functions find in /opt. Everyone may read them: their modes go
// into the archive, and a function does not run as the files' owner.
func (p *primary) layer(id string, files map[string][]byte) string {
	dir := filepath.Join(*p.app.Outdir(), ".files", id)
	for name, content := range sorted(files) {
		path := filepath.Join(dir, filepath.FromSlash(name))
		err := os.MkdirAll(filepath.Dir(path), 0o755) //nolint:gosec // see above
		if err == nil {
			err = os.WriteFile(path, content, 0o644) //nolint:gosec // see above
		}
		if err != nil {
			panic(fmt.Errorf("writing %s: %w", name, err))
		}
	}
	asset := awss3assets.NewAsset(p.stack, jsii.String(id), &awss3assets.AssetProps{Path: &dir})
	layer := awslambda.NewCfnLayerVersion(p.stack, jsii.String(id+"Layer"), &awslambda.CfnLayerVersionProps{
		LayerName: jsii.String(p.prefix + "-" + strings.ToLower(id)), CompatibleArchitectures: texts("arm64"), CompatibleRuntimes: texts("provided.al2023"),
		Content: map[string]any{"s3Bucket": *asset.S3BucketName(), "s3Key": *asset.S3ObjectKey()},
	})
	return *layer.Ref()
}
