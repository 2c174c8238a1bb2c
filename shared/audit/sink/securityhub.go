package sink

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/securityhub"
	"github.com/aws/aws-sdk-go-v2/service/securityhub/types"

	"github.com/rekey-aws/rekey/shared/audit"
	"github.com/rekey-aws/rekey/shared/awsclient"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// SecurityHub imports findings. A finding's Id is its incident, so that what happens again
// updates the finding that is there, and what resolves it archives it.
type SecurityHub struct {
	poster
	playbooks string
	region    string
	api       importer
}

type importer interface {
	BatchImportFindings(context.Context, *securityhub.BatchImportFindingsInput, ...func(*securityhub.Options)) (*securityhub.BatchImportFindingsOutput, error)
}

// NewSecurityHub makes the sink of the function's Region.
func NewSecurityHub(name string, s awsclient.Settings, o Options) *SecurityHub {
	return &SecurityHub{poster: o.poster(name, false), playbooks: o.Playbooks, region: s.Region, api: securityhub.New(securityhub.Options{
		Region: s.Region, Credentials: s.Credentials, HTTPClient: s.HTTPClient, Retryer: s.Retryer, AppID: awsclient.AppID,
		BaseEndpoint:    s.Endpoint("SECURITYHUB"),
		EndpointOptions: securityhub.EndpointResolverOptions{UseFIPSEndpoint: s.FIPS, UseDualStackEndpoint: s.DualStack},
	})}
}

// Name is as in [audit.Sink].
func (s *SecurityHub) Name() string { return s.sink }

// Batch is how many findings one call takes.
func (s *SecurityHub) Batch() int { return 100 }

// Deliver imports the findings, at most [SecurityHub.Batch] of them.
func (s *SecurityHub) Deliver(ctx context.Context, findings []audit.Finding) error {
	byID := map[string]types.AwsSecurityFinding{} // an Id is in a call once
	for _, f := range findings {
		for _, one := range s.mapped(f) {
			byID[*one.Id] = one
		}
	}
	rest := make([]types.AwsSecurityFinding, 0, len(byID))
	for _, one := range byID {
		rest = append(rest, one)
	}
	for len(rest) > 0 {
		n := min(len(rest), s.Batch())
		if err := s.take(ctx, rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

func (s *SecurityHub) take(ctx context.Context, findings []types.AwsSecurityFinding) error {
	out, err := s.api.BatchImportFindings(ctx, &securityhub.BatchImportFindingsInput{Findings: findings},
		func(o *securityhub.Options) { o.Retryer = awsclient.UntilDeadline(ctx, o.Retryer) })
	if err != nil {
		return hubErrors.Translate(ctx, "telling "+s.sink+": BatchImportFindings", err)
	}
	if n := len(out.FailedFindings); n > 0 {
		return rotation.WithHint(fmt.Errorf("telling %s: BatchImportFindings: %d of %d findings are refused, the first with %s: %w",
			s.sink, n, len(findings), aws.ToString(out.FailedFindings[0].ErrorCode), rotation.ErrVendor),
			"Enable Security Hub in the account and Region of the secrets.")
	}
	return nil
}

// The limits of ASFF: https://docs.aws.amazon.com/securityhub/latest/userguide/asff-required-attributes.html
const (
	longestTitle       = 256
	longestDescription = 1024
	longestID          = 512
	longestRemedy      = 512
)

var hubSeverities = [...]types.SeverityLabel{
	types.SeverityLabelInformational, types.SeverityLabelLow, types.SeverityLabelMedium, types.SeverityLabelHigh, types.SeverityLabelCritical,
}

// mapped makes the finding of ASFF, or those that end what f resolves.
func (s *SecurityHub) mapped(f audit.Finding) []types.AwsSecurityFinding {
	if len(f.Resolves) == 0 {
		return []types.AwsSecurityFinding{s.asff(f, f.Incident, types.RecordStateActive)}
	}
	var all []types.AwsSecurityFinding
	for _, incident := range f.Resolves {
		all = append(all, s.asff(f, incident, types.RecordStateArchived))
	}
	return all
}

func (s *SecurityHub) asff(f audit.Finding, incident string, state types.RecordState) types.AwsSecurityFinding {
	m := Describe(f, s.playbooks)
	account, region := place(f, s.region)
	partition := partitionOf(region)
	kind := "Software and Configuration Checks/AWS Security Best Practices"
	if len(f.Detection.Techniques) > 0 {
		kind = "TTPs/Credential Access"
	}
	one := types.AwsSecurityFinding{
		SchemaVersion: aws.String("2018-10-08"), AwsAccountId: &account, Region: &region,
		ProductArn:  aws.String("arn:" + partition + ":securityhub:" + s.region + ":" + account + ":product/" + account + "/default"),
		GeneratorId: aws.String("rekey/" + f.Detection.ID), Id: aws.String(hubID(incident)),
		CompanyName: aws.String("rekey"), ProductName: aws.String("rekey"),
		Title: aws.String(clip(m.Title, longestTitle)), Description: aws.String(clip(m.What+" "+m.Why, longestDescription)),
		CreatedAt: aws.String(stamp(f.Time)), UpdatedAt: aws.String(s.now().UTC().Format(time.RFC3339Nano)),
		Severity: &types.Severity{Label: hubSeverities[m.Severity]}, Types: []string{kind}, RecordState: state,
		Remediation:   &types.Remediation{Recommendation: &types.Recommendation{Text: aws.String(clip(m.Do, longestRemedy))}},
		Resources:     []types.Resource{resource(f, partition, region)},
		ProductFields: map[string]string{"rekey/key": f.Key, "rekey/count": fmt.Sprint(f.Count)},
	}
	if m.Playbook != "" {
		one.Remediation.Recommendation.Url = &m.Playbook
	}
	for _, fact := range m.Facts {
		one.ProductFields["rekey/"+strings.ToLower(strings.ReplaceAll(fact.Name, " ", "-"))] = clip(fact.Text, 1000)
	}
	return one
}

// hubID is an incident as an Id; what is too long ends in a digest.
func hubID(incident string) string {
	id := "rekey/" + incident
	if len(id) <= longestID {
		return id
	}
	return strings.ToValidUTF8(id[:longestID-65], "") + "/" + hash(incident)
}

func place(f audit.Finding, region string) (string, string) {
	for _, r := range []string{f.Event.Region, f.Secret.Region} {
		if r != "" {
			region = r
		}
	}
	if f.Secret.Account != "" {
		return f.Secret.Account, region
	}
	return f.Event.Account, region
}

func resource(f audit.Finding, partition, region string) types.Resource {
	r := types.Resource{Type: aws.String("AwsSecretsManagerSecret"), Id: aws.String(f.Secret.ARN), Partition: types.Partition(partition), Region: &region}
	if f.Secret.ARN != "" {
		return r
	}
	r.Type = aws.String("Other")
	switch {
	case f.Secret.Name != "":
		r.Id = aws.String(f.Secret.Key())
	case f.Event.Request.Key != "":
		r.Id = aws.String(f.Event.Request.Key)
	case f.Event.Request.Trail != "":
		r.Id = aws.String(f.Event.Request.Trail)
	default:
		r.Id = aws.String("AWS::::Account:" + f.Event.Account)
	}
	return r
}

func partitionOf(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

// https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchImportFindings.html#API_BatchImportFindings_Errors
var hubErrors = awsclient.Errors{
	Codes: map[string]awsclient.Meaning{
		"AccessDeniedException":  {Kind: rotation.ErrDenied, Hint: "Allow securityhub:BatchImportFindings to the function's role."},
		"InvalidAccessException": {Kind: rotation.ErrConfig, Hint: "Enable Security Hub in the account and Region."},
		"InvalidInputException":  {Kind: rotation.ErrVendor},
		"LimitExceededException": {Kind: rotation.ErrThrottled},
	},
	NoAnswer: "Security Hub did not answer: in a VPC the function needs an interface endpoint for Security Hub, with private DNS.",
}
