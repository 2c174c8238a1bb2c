package rekey

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdklabs/cdk-nag-go/cdknag/v2"

	"github.com/rekey-aws/rekey/infra/config"
	"github.com/rekey-aws/rekey/infra/review"
)

// Validate has synthesis fail on what package review finds in an app's templates.
func Validate(app awscdk.App) { awscdk.Validations_Of(app).AddPlugins(&plugin{}) }

// Comply has synthesis fail on findings of packs of cdk-nag that no resource gives a reason
// against.
func Comply(app awscdk.App, packs ...config.Pack) {
	p := &cdknag.NagPackProps{}
	for _, name := range packs {
		var checks awscdk.IAspect
		switch name {
		case config.PackAWSSolutions:
			checks = cdknag.NewAwsSolutionsChecks(p)
		case config.PackHIPAA:
			checks = cdknag.NewHIPAASecurityChecks(p)
		case config.PackNIST:
			checks = cdknag.NewNIST80053R5Checks(p)
		case config.PackPCIDSS:
			checks = cdknag.NewPCIDSS321Checks(p)
		default:
			panic(fmt.Errorf("compliance.packs: there is no pack %q", name))
		}
		awscdk.Aspects_Of(app).Add(checks, nil)
	}
}

// plugin is how the CDK asks package review.
type plugin struct{}

func (*plugin) Name() *string    { return jsii.String("rekey") }
func (*plugin) Version() *string { return jsii.String("1.0.0") }
func (*plugin) RuleIds() *[]*string {
	return texts(slices.Sorted(maps.Keys(review.Rules))...)
}

// Validate implements awscdk.IPolicyValidationPlugin. A template that cannot be read is a
// violation: nothing passes unread.
func (*plugin) Validate(c awscdk.IPolicyValidationContext) *awscdk.PolicyValidationPluginReport {
	var violations []*awscdk.PolicyViolation
	for _, path := range *c.TemplatePaths() {
		text, err := os.ReadFile(*path)
		var found []review.Finding
		if err == nil {
			found, err = review.Template(text)
		}
		if err != nil {
			found = append(found, review.Finding{Rule: "limits", Wrong: err.Error(), Remedy: "Synthesize again."})
		}
		for _, f := range found {
			violations = append(violations, &awscdk.PolicyViolation{
				RuleName: jsii.String(f.Rule), Description: jsii.String(f.At + ": " + f.Wrong), Fix: jsii.String(f.Remedy), Severity: jsii.String("error"),
				ViolatingResources: &[]*awscdk.PolicyViolatingResource{{
					ResourceLogicalId: jsii.String(cmp.Or(f.Resource, "template")), TemplatePath: path, Locations: texts(cmp.Or(f.At, "template")),
				}},
			})
		}
	}
	return &awscdk.PolicyValidationPluginReport{Success: jsii.Bool(len(violations) == 0), Violations: &violations}
}
