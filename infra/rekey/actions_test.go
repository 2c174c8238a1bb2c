package rekey_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// beyondTheWire are actions that a role needs and no test of the function can record, with
// the reason.
var beyondTheWire = map[string]string{
	"kms:Decrypt":                    "Secrets Manager, SQS and DynamoDB use the key for the caller",
	"kms:GenerateDataKey":            "Secrets Manager, SQS and DynamoDB use the key for the caller",
	"logs:CreateLogStream":           "Lambda writes the function's log",
	"logs:PutLogEvents":              "Lambda writes the function's log",
	"xray:PutTelemetryRecords":       "Lambda traces the function",
	"xray:PutTraceSegments":          "Lambda traces the function",
	"ec2:AssignPrivateIpAddresses":   "Lambda attaches the function to a VPC",
	"ec2:CreateNetworkInterface":     "Lambda attaches the function to a VPC",
	"ec2:DeleteNetworkInterface":     "Lambda attaches the function to a VPC",
	"ec2:DescribeNetworkInterfaces":  "Lambda attaches the function to a VPC",
	"ec2:DescribeSubnets":            "Lambda attaches the function to a VPC",
	"ec2:UnassignPrivateIpAddresses": "Lambda attaches the function to a VPC",
	"sqs:SendMessage":                "Lambda keeps invocations that failed for good",
	"rds-db:connect":                 "a login to the database, not a call",
}

// whoAmI needs no permission:
// https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
const whoAmI = "sts:GetCallerIdentity"

// What a function's role allows over all examples is what the function called in its tests,
// recorded at the wire, and what AWS does for it: nothing missing, nothing more.
func TestRolesAllowWhatFunctionsCall(t *testing.T) {
	allowed := map[string][]string{}
	for _, f := range everything(t) {
		for name, actions := range allowedActions(t, f) {
			allowed[name] = append(allowed[name], actions...)
		}
	}
	functions, err := filepath.Glob("../../functions/*/main.go")
	if err != nil || len(functions) < 3 {
		t.Fatalf("%d functions, error %v", len(functions), err)
	}
	for _, path := range functions {
		name := filepath.Base(filepath.Dir(path))
		t.Run(name, func(t *testing.T) {
			if len(allowed[name]) == 0 {
				t.Fatal("no file deploys it")
			}
			text, err := os.ReadFile("../../functions/" + name + "/testdata/actions.txt")
			if err != nil {
				t.Fatalf("%v: the function's tests record what it calls, with -update", err)
			}
			called := strings.Fields(string(text))
			for _, a := range called {
				if !slices.Contains(allowed[name], a) && a != whoAmI {
					t.Errorf("the function calls %s, which its role does not allow", a)
				}
			}
			for _, a := range slices.Compact(slices.Sorted(slices.Values(allowed[name]))) {
				if !slices.Contains(called, a) && beyondTheWire[a] == "" {
					t.Errorf("the role allows %s, which the function does not call", a)
				}
			}
		})
	}
}
