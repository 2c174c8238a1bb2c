package serve

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/usage"
	"github.com/rekey-aws/rekey/local/eventbus"
)

// ruleFile is a rule as one gives it to PutRule and PutTargets, together:
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html
type ruleFile struct {
	Name         string
	Description  string
	EventPattern json.RawMessage // as text, as PutRule has it, or as it is
	State        string
	Targets      []targetOfFile
}

type targetOfFile struct {
	ID          string `json:"Id"`
	Arn         string // of a function, or its name
	RetryPolicy struct {
		MaximumRetryAttempts     *int
		MaximumEventAgeInSeconds int
	}
}

// rules reads the files of --rule.
func (c *Command) rules() ([]eventbus.Rule, error) {
	var rules []eventbus.Rule
	fileOf := map[string]string{}
	for _, path := range c.Rule {
		r, err := readRule(path)
		if err != nil {
			return nil, usage.Errorf("--rule: %s: %v", path, err)
		}
		if other, twice := fileOf[r.Name]; twice {
			return nil, usage.Errorf("--rule: %s: Name: %q is the name of the rule in %s too: give each its own", path, r.Name, other)
		}
		fileOf[r.Name] = path
		rules = append(rules, r)
	}
	return rules, nil
}

func readRule(path string) (eventbus.Rule, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		cause := (*os.PathError)(nil)
		errors.As(err, &cause)
		return eventbus.Rule{}, fmt.Errorf("%w: give a JSON file with Name, EventPattern and Targets", cause.Err)
	}
	var f ruleFile
	d := json.NewDecoder(bytes.NewReader(content))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return eventbus.Rule{}, located(content, d.InputOffset(), err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return eventbus.Rule{}, located(content, d.InputOffset(), errors.New("there is more after the rule: give one file for each"))
	}
	return f.rule()
}

// located says where in a file an error is, if the error knows or the decoder does.
func located(content []byte, offset int64, err error) error {
	reason := strings.TrimPrefix(err.Error(), "json: ")
	syntax, kind := (*json.SyntaxError)(nil), (*json.UnmarshalTypeError)(nil)
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &kind):
		offset, reason = kind.Offset, fmt.Sprintf("%s cannot be a %s", kind.Field, kind.Value)
	case strings.HasPrefix(reason, "unknown field "):
		name := strings.Trim(strings.TrimPrefix(reason, "unknown field "), `"`)
		if at := bytes.Index(content, []byte(`"`+name+`"`)); at >= 0 {
			offset = int64(at)
		}
		reason += ": a rule has Name, Description, EventPattern, State and Targets; a target Id, Arn and RetryPolicy"
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		offset, reason = int64(len(content)), "it ends before the rule does"
	}
	before := content[:min(max(offset, 0), int64(len(content)))]
	return fmt.Errorf("line %d, column %d: %s", bytes.Count(before, []byte("\n"))+1, len(before)-bytes.LastIndexByte(before, '\n'), reason)
}

// wrongIn is an error in a member of the file.
func wrongIn(member, format string, args ...any) error {
	return fmt.Errorf("%s: %w", member, fmt.Errorf(format, args...))
}

// ruleName is what EventBridge takes for one.
var ruleName = regexp.MustCompile(`^[.\-_A-Za-z0-9]{1,64}$`)

// rule checks all but whether the functions are there.
func (f *ruleFile) rule() (eventbus.Rule, error) {
	r := eventbus.Rule{Name: f.Name, State: eventbus.State(f.State), Pattern: string(f.EventPattern)}
	if len(f.EventPattern) > 0 && f.EventPattern[0] == '"' {
		if err := json.Unmarshal(f.EventPattern, &r.Pattern); err != nil {
			return r, wrongIn("EventPattern", "%w", err)
		}
	}
	switch r.State {
	case "", eventbus.Enabled, eventbus.Disabled, eventbus.EnabledWithAllManagementEvents:
	default:
		return r, wrongIn("State", "%q is none: give %s, %s or %s", f.State, eventbus.Enabled, eventbus.Disabled, eventbus.EnabledWithAllManagementEvents)
	}
	switch {
	case !ruleName.MatchString(r.Name):
		return r, wrongIn("Name", "%q is none: give 1 to 64 letters, digits, dots, hyphens or underscores", r.Name)
	case r.Pattern == "":
		return r, wrongIn("EventPattern", `there is none: give one such as {"source": ["aws.secretsmanager"]}`)
	case len(f.Targets) == 0:
		return r, wrongIn("Targets", "there are none: give a function")
	}
	if _, err := eventbus.Compile([]byte(r.Pattern)); err != nil {
		return r, wrongIn("EventPattern", "%w", err)
	}
	ids := map[string]bool{}
	for i, t := range f.Targets {
		target, err := t.target()
		if err == nil && ids[target.ID] {
			err = wrongIn("Id", "another target has %q: give each its own", target.ID)
		}
		if err != nil {
			return r, fmt.Errorf("Targets[%d].%w", i, err)
		}
		ids[target.ID] = true
		r.Targets = append(r.Targets, target)
	}
	return r, nil
}

// The limits of a RetryPolicy:
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_RetryPolicy.html
const (
	maxRetries = 185
	minAge     = 60
	maxAge     = 86400
)

func (t *targetOfFile) target() (eventbus.Target, error) {
	target := eventbus.Target{ID: t.ID, Function: t.Arn}
	if t.ID == "" {
		target.ID = t.Arn
	}
	if t.Arn == "" {
		return target, wrongIn("Arn", "there is none: give the name of a function")
	}
	if n := t.RetryPolicy.MaximumRetryAttempts; n != nil {
		if *n < 0 || *n > maxRetries {
			return target, wrongIn("RetryPolicy.MaximumRetryAttempts", "%d is out of range: give 0 to %d", *n, maxRetries)
		}
		target.Retry.Attempts = *n + 1 // the first attempt is no retry
	}
	if age := t.RetryPolicy.MaximumEventAgeInSeconds; age != 0 {
		if age < minAge || age > maxAge {
			return target, wrongIn("RetryPolicy.MaximumEventAgeInSeconds", "%d is out of range: give %d to %d", age, minAge, maxAge)
		}
		target.Retry.MaxAge = time.Duration(age) * time.Second
	}
	return target, nil
}
