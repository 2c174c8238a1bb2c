package retirement_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rekey-aws/rekey/shared/retirement"
	"github.com/rekey-aws/rekey/shared/rotation"
)

const (
	role  = "arn:aws:iam::123456789012:role/rekey/retire"
	queue = "arn:aws:sqs:us-east-1:123456789012:rekey-retire"
)

func lookup(env map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := env[name]; return v, ok }
}

func TestSettings(t *testing.T) {
	for _, c := range []struct {
		env  map[string]string
		want retirement.Settings
	}{
		{nil, retirement.Settings{After: 24 * time.Hour, Window: 15 * time.Minute, Group: "default"}},
		{map[string]string{"RETIRE_AFTER": "0", "RETIRE_WINDOW": "0"}, retirement.Settings{Group: "default"}},
		{
			map[string]string{
				"RETIRE_AFTER": "72h", "RETIRE_WINDOW": "1h", "RETIRE_ROLE_ARN": role,
				"RETIRE_DEAD_LETTER_ARN": queue, "RETIRE_SCHEDULE_GROUP": "rekey",
			},
			retirement.Settings{After: 72 * time.Hour, Window: time.Hour, RoleARN: role, DeadLetterARN: queue, Group: "rekey"},
		},
		{map[string]string{"RETIRE_ROLE_ARN": "arn:aws-cn:iam::123456789012:role/r"}, retirement.Settings{
			After: 24 * time.Hour, Window: 15 * time.Minute, Group: "default", RoleARN: "arn:aws-cn:iam::123456789012:role/r",
		}},
	} {
		got, err := retirement.SettingsFrom(lookup(c.env))
		if err != nil {
			t.Errorf("%v: %v", c.env, err)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%v: %s", c.env, d)
		}
	}
	for name, values := range map[string][]string{
		"RETIRE_AFTER":           {"1", "tomorrow", "-1h", "1ms", "9000h"},
		"RETIRE_WINDOW":          {"30s", "25h", "-5m"},
		"RETIRE_ROLE_ARN":        {"rekey", "arn:aws:iam::1:role/x", "arn:aws:iam::123456789012:user/x", "arn:aws:iam::123456789012:role/"},
		"RETIRE_DEAD_LETTER_ARN": {"queue", "arn:aws:sns:us-east-1:123456789012:topic"},
		"RETIRE_SCHEDULE_GROUP":  {"a group", "a/b"},
	} {
		for _, value := range values {
			_, err := retirement.SettingsFrom(lookup(map[string]string{name: value}))
			if !errors.Is(err, rotation.ErrConfig) {
				t.Errorf("%s=%s: %v", name, value, err)
			}
		}
	}
}

// A function without a role for schedules has no planner, not one that fails.
func TestNoPlanner(t *testing.T) {
	for _, env := range []map[string]string{nil, {"RETIRE_ROLE_ARN": role, "RETIRE_AFTER": "0"}} {
		if p, _, err := retirement.FromEnvironment(lookup(env), nil); p != nil || err != nil {
			t.Errorf("%v: %v, %v", env, p, err)
		}
	}
	if _, _, err := retirement.FromEnvironment(lookup(map[string]string{"RETIRE_ROLE_ARN": role}), nil); !errors.Is(err, rotation.ErrConfig) {
		t.Errorf("without a Region: %v", err)
	}
}
