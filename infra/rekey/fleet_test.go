package rekey_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/rekey-aws/rekey/infra/rekey"
)

// account is Secrets Manager as the fleet sees it.
type account struct {
	secrets []object
	// broken secrets cannot be rotated; stuck ones never become current.
	broken, stuck map[string]bool
	tokens        map[string]string  // by ARN
	begun         map[string]float64 // when, by ARN
	report        string
	subject       string
}

func newAccount() *account {
	return &account{broken: map[string]bool{}, stuck: map[string]bool{}, tokens: map[string]string{}, begun: map[string]float64{}}
}

func (a *account) add(name string, rotates bool, primary string, tags ...string) string {
	arn := "arn:aws:secretsmanager:eu-central-1:123456789012:secret:" + name + "-AbCdEf"
	s := object{"ARN": arn, "Name": name, "RotationEnabled": rotates, "Tags": []any{}}
	if primary != "" {
		s["PrimaryRegion"] = primary
	}
	for i := 0; i < len(tags); i += 2 {
		s["Tags"] = append(s["Tags"].([]any), object{"Key": tags[i], "Value": tags[i+1]})
	}
	a.secrets = append(a.secrets, s)
	return arn
}

func (a *account) call(resource string, arguments map[string]any, at float64) (any, error) {
	arn, _ := arguments["SecretId"].(string)
	switch resource[strings.LastIndex(resource, ":")+1:] {
	case "listSecrets":
		return a.list(arguments)
	case "rotateSecret":
		if a.broken[arn] {
			return nil, failure{"SecretsManager.InvalidRequestException", "a previous rotation isn't complete"}
		}
		if _, twice := a.begun[arn]; twice {
			return nil, failure{"Twice", arn}
		}
		a.begun[arn], a.tokens[arn] = at, fmt.Sprint(arguments["ClientRequestToken"])
		return object{}, nil
	case "describeSecret":
		label := "AWSPENDING"
		if at-a.begun[arn] > 8 && !a.stuck[arn] {
			label = "AWSCURRENT"
		}
		return object{"VersionIdsToStages": object{a.tokens[arn]: []any{label}, "old": []any{"AWSPREVIOUS"}}}, nil
	case "publish":
		a.subject, a.report = fmt.Sprint(arguments["Subject"]), fmt.Sprint(arguments["Message"])
		return object{}, nil
	}
	return nil, failure{"Unknown", resource}
}

// list pages through what the filters match. Like the service's, they match beginnings.
func (a *account) list(arguments map[string]any) (any, error) {
	filters := arguments["Filters"].([]any)
	key := list(filters[0].(object)["Values"])[0].(string)
	value := list(filters[1].(object)["Values"])[0].(string)
	start := 0
	if token, ok := arguments["NextToken"]; ok {
		_, _ = fmt.Sscan(fmt.Sprint(token), &start)
	}
	page, n := []any{}, int(arguments["MaxResults"].(float64))
	for i := start; i < len(a.secrets); i++ {
		for _, t := range a.secrets[i]["Tags"].([]any) {
			if strings.HasPrefix(t.(object)["Key"].(string), key) && strings.HasPrefix(t.(object)["Value"].(string), value) {
				page = append(page, a.secrets[i])
				break
			}
		}
		if len(page) == n {
			return object{"SecretList": page, "NextToken": fmt.Sprint(i + 1)}, nil
		}
	}
	return object{"SecretList": page}, nil
}

// rotateFleet runs the definition as it is deployed.
func rotateFleet(t *testing.T, a *account, input object) (object, error) {
	t.Helper()
	var definition object
	text := rekey.FleetProps{Topic: "arn:aws:sns:eu-central-1:123456789012:alarms", Rate: 10, ErrorBudget: 5}.Definition()
	if err := json.Unmarshal([]byte(text), &definition); err != nil {
		t.Fatal(err)
	}
	m := &machine{t: t, call: a.call, vars: object{}}
	out, err := m.run(definition, plain(t, input))
	result, _ := out.(object)
	return result, err
}

var team = object{"tag": object{"key": "team", "value": "payments"}}

func TestFleetRotatesWhatHasTheTag(t *testing.T) {
	a := newAccount()
	mine := map[string]bool{}
	for i := range 200 {
		mine[a.add(fmt.Sprintf("payments/%d", i), true, "", "team", "payments", "stage", "x")] = true
		a.add(fmt.Sprintf("other/%d", i), true, "", "team", "shop")
	}
	a.add("longer-value", true, "", "team", "payments-test")
	a.add("crossed", true, "", "team", "shop", "payments", "team")
	a.add("does-not-rotate", false, "", "team", "payments")
	a.add("replica", true, "us-east-1", "team", "payments")
	mine[a.add("primary", true, "eu-central-1", "team", "payments")] = true

	out, err := rotateFleet(t, a, team)
	if err != nil {
		t.Fatal(err)
	}
	if out["rotated"] != 201.0 || out["failed"] != 0.0 || out["skipped"] != 2.0 {
		t.Errorf("%v", out)
	}
	begun := map[int]int{}
	for arn, at := range a.begun {
		if !mine[arn] {
			t.Errorf("%s was rotated", arn)
		}
		begun[int(at)]++
	}
	if len(a.begun) != len(mine) {
		t.Errorf("%d were rotated, want %d", len(a.begun), len(mine))
	}
	for second, n := range begun {
		if n > 10 {
			t.Errorf("%d rotations began in second %d, want 10 at most", n, second)
		}
	}
	if a.subject != "Fleet rotated" || !strings.Contains(a.report, "201 rotated, 0 failed, 2 skipped") {
		t.Errorf("reported %q: %q", a.subject, a.report)
	}
}

func TestFleetHasNothingToDo(t *testing.T) {
	a := newAccount()
	a.add("other", true, "", "team", "shop")
	out, err := rotateFleet(t, a, team)
	if err != nil || out["rotated"] != 0.0 || out["failed"] != 0.0 || len(a.begun) != 0 {
		t.Errorf("%v, error %v", out, err)
	}
}

// The budget is in percent of what was tried: a page that spends it is the last.
func TestFleetStopsAtTheErrorBudget(t *testing.T) {
	a := newAccount()
	for i := range 300 {
		arn := a.add(fmt.Sprintf("payments/%d", i), true, "", "team", "payments")
		if i >= 80 && i%10 == 0 { // none on the first page, every tenth after it
			a.broken[arn] = true
		}
	}
	_, err := rotateFleet(t, a, team)
	var f failure
	if !errors.As(err, &f) || f.name != "ErrorBudget" || !strings.Contains(f.cause, "16 of 240") {
		t.Fatalf("error %v", err)
	}
	if len(a.begun) != 240-16 {
		t.Errorf("%d were rotated", len(a.begun))
	}
	if !strings.Contains(a.subject, "STOPPED") || strings.Count(a.report, "InvalidRequestException") != 16 || !strings.Contains(a.report, "payments/80-") {
		t.Errorf("reported %q: %q", a.subject, a.report)
	}

	b := newAccount()
	b.secrets, b.broken = a.secrets, a.broken
	out, err := rotateFleet(t, b, object{"tag": team["tag"], "errorBudget": 100, "rate": 25})
	if err != nil || out["rotated"] != 278.0 || out["failed"] != 22.0 {
		t.Errorf("with a budget of 100 %%: %v, error %v", out, err)
	}
}

func TestFleetReportsWhatNeverBecomesCurrent(t *testing.T) {
	a := newAccount()
	for i := range 30 {
		arn := a.add(fmt.Sprintf("payments/%d", i), true, "", "team", "payments")
		a.stuck[arn] = i == 7
	}
	out, err := rotateFleet(t, a, team)
	if err != nil || out["rotated"] != 29.0 || out["failed"] != 1.0 {
		t.Fatalf("%v, error %v", out, err)
	}
	if !strings.Contains(a.report, "payments/7-AbCdEf: not current after two minutes") {
		t.Errorf("reported %q", a.report)
	}
}

// No rate is above what Secrets Manager takes: two writes a rotation, of 50 a second.
func TestFleetIsNeverFasterThanTheQuota(t *testing.T) {
	a := newAccount()
	for i := range 80 {
		a.add(fmt.Sprintf("payments/%d", i), true, "", "team", "payments")
	}
	if _, err := rotateFleet(t, a, object{"tag": team["tag"], "rate": 1000}); err != nil {
		t.Fatal(err)
	}
	begun := map[int]int{}
	for _, at := range a.begun {
		begun[int(at)]++
	}
	for second, n := range begun {
		if n > 25 {
			t.Errorf("%d rotations began in second %d", n, second)
		}
	}
}
