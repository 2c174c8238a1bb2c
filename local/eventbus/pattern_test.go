package eventbus

import (
	"errors"
	"testing"
)

// The example event of the user guide:
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html,
// with fields of https://github.com/aws/event-ruler#ruler-by-example.
const example = `{
  "version": "0", "id": "ddddd4-aaaa-7777-4444-345dd43cc333",
  "detail-type": "EC2 Instance State-change Notification", "source": "aws.ec2",
  "account": "012345679012", "time": "2017-10-02T16:24:49Z", "region": "us-east-1",
  "resources": ["arn:aws:ec2:us-east-1:123456789012:instance/i-000000aaaaaa00000"],
  "detail": {
    "c-count": 5, "d-count": 3, "x-limit": 301.8, "source-ip": "10.0.0.33", "v6": "2001:db8::1",
    "instance-id": "i-000000aaaaaa00000", "state": "running", "empty": "", "nothing": null, "yes": true, "no": false,
    "none": [], "path": "dir/lib/a.png", "stars": "a*b\\c", "escaped\u002dkey": "caf\u00e9", "zero": 0,
    "employees": [
      {"firstName": "John", "lastName": "Doe"}, {"firstName": "Anna", "lastName": "Smith"}, {"firstName": "Peter", "lastName": "Jones"}
    ],
    "nested": [[{"a": 1, "b": 2}], [{"a": 3, "b": 4}]],
    "mixed": ["one", 2, {"three": 3}, ["four"]]
  }
}`

const (
	guide     = "https://docs.aws.amazon.com/eventbridge/latest/userguide/"
	operatorG = guide + "eb-create-pattern-operators.html"
	arraysG   = guide + "eb-event-patterns-arrays.html"
	nullG     = guide + "eb-event-patterns-null-values.html"
	structure = guide + "eb-event-patterns.html"
	ruler     = "https://github.com/aws/event-ruler"
)

var matches = []struct {
	pattern string
	want    bool
	source  string
}{
	{`{"source": ["aws.ec2"]}`, true, structure},
	{`{"source": ["aws.ec2", "aws.fargate"]}`, true, structure},
	{`{"source": ["AWS.EC2"]}`, false, structure + ": character by character, without case-folding"},
	{`{"detail-type": ["EC2 Instance State-change Notification"], "detail": {"state": ["initializing", "running"]}}`, true, ruler + "#simple-matching"},
	{`{"source": ["aws.ec2"], "detail": {"state": ["stopped"]}}`, false, structure + ": all fields"},
	{`{"missing": ["x"]}`, false, structure},
	{`{"resources": ["arn:aws:ec2:us-east-1:123456789012:instance/i-000000aaaaaa00000", "other"]}`, true, arraysG},
	{`{"resources": ["other"]}`, false, arraysG},
	{`{"resources": [{"prefix": "arn:aws:ec2"}]}`, true, arraysG},

	{`{"detail": {"c-count": [5]}}`, true, structure},
	{`{"detail": {"c-count": [5.0]}}`, false, structure + ": 300, 300.0 and 3.0e2 are not considered equal"},
	{`{"detail": {"c-count": ["5"]}}`, false, structure + ": values follow JSON rules"},
	{`{"detail": {"x-limit": [301.8]}}`, true, structure},
	{`{"detail": {"yes": [true], "no": [false]}}`, true, structure},
	{`{"detail": {"yes": [false]}}`, false, structure},
	{`{"detail": {"yes": ["true"]}}`, false, structure},

	{`{"detail": {"nothing": [null]}}`, true, nullG},
	{`{"detail": {"empty": [""]}}`, true, nullG},
	{`{"detail": {"empty": [null]}}`, false, nullG},
	{`{"detail": {"nothing": [""]}}`, false, nullG},
	{`{"detail": {"missing": [null]}}`, false, nullG},

	{`{"time": [{"prefix": "2017-10-02"}]}`, true, operatorG},
	{`{"time": [{"prefix": "2018"}]}`, false, operatorG},
	{`{"detail": {"c-count": [{"prefix": "5"}]}}`, false, ruler + "#prefix-matching: only string-valued fields"},
	{`{"source": [{"prefix": {"equals-ignore-case": "AWS.E"}}]}`, true, operatorG},
	{`{"source": [{"suffix": "ec2"}]}`, true, operatorG},
	{`{"source": [{"suffix": "EC2"}]}`, false, operatorG},
	{`{"source": [{"suffix": {"equals-ignore-case": "EC2"}}]}`, true, operatorG},
	{`{"source": [{"equals-ignore-case": "AWS.ec2"}]}`, true, operatorG},
	{`{"source": [{"equals-ignore-case": "AWS.ec"}]}`, false, operatorG},
	{`{"source": [{"prefix": "a"}, {"suffix": "z"}]}`, true, structure + ": any of the values"},

	{`{"detail": {"state": [{"anything-but": "initializing"}]}}`, true, operatorG},
	{`{"detail": {"state": [{"anything-but": "running"}]}}`, false, operatorG},
	{`{"detail": {"state": [{"anything-but": ["stopped", "overloaded"]}]}}`, true, operatorG},
	{`{"detail": {"state": [{"anything-but": ["stopped", "running"]}]}}`, false, operatorG},
	{`{"detail": {"c-count": [{"anything-but": 123}]}}`, true, operatorG},
	{`{"detail": {"c-count": [{"anything-but": [100, 5]}]}}`, false, operatorG},
	{`{"detail": {"c-count": [{"anything-but": 5.0}]}}`, false, ruler + ": anything-but compares numbers by value"},
	{`{"detail": {"c-count": [{"anything-but": "5"}]}}`, true, ruler + ": a number is not that string"},
	{`{"detail": {"missing": [{"anything-but": "x"}]}}`, false, ruler + ": a field that is not there matches nothing but exists: false"},
	{`{"detail": {"nothing": [{"anything-but": "x"}]}}`, true, ruler},
	{`{"detail": {"state": [{"anything-but": {"prefix": "init"}}]}}`, true, operatorG},
	{`{"detail": {"state": [{"anything-but": {"prefix": ["init", "run"]}}]}}`, false, operatorG},
	{`{"detail": {"path": [{"anything-but": {"suffix": ".png"}}]}}`, false, operatorG},
	{`{"detail": {"path": [{"anything-but": {"suffix": [".jpg", ".txt"]}}]}}`, true, operatorG},
	{`{"detail": {"state": [{"anything-but": {"equals-ignore-case": "RUNNING"}}]}}`, false, operatorG},
	{`{"detail": {"state": [{"anything-but": {"equals-ignore-case": ["STOPPED", "Ended"]}}]}}`, true, operatorG},
	{`{"detail": {"path": [{"anything-but": {"wildcard": "*/lib/*"}}]}}`, false, operatorG},
	{`{"detail": {"path": [{"anything-but": {"wildcard": ["*.jpg", "x*"]}}]}}`, true, operatorG},
	{`{"detail": {"mixed": [{"anything-but": "one"}]}}`, true, ruler + ": an element that differs is enough"},

	{`{"detail": {"c-count": [{"numeric": [">", 0, "<=", 5]}], "d-count": [{"numeric": ["<", 10]}], "x-limit": [{"numeric": ["=", 3.018e2]}]}}`, true, operatorG},
	{`{"detail": {"c-count": [{"numeric": [">", 5]}]}}`, false, operatorG},
	{`{"detail": {"c-count": [{"numeric": [">=", 5, "<", 6]}]}}`, true, operatorG},
	{`{"detail": {"c-count": [{"numeric": ["<", 5]}]}}`, false, operatorG},
	{`{"detail": {"state": [{"numeric": [">", 0]}]}}`, false, operatorG + ": only JSON numbers"},

	{`{"detail": {"source-ip": [{"cidr": "10.0.0.0/24"}]}}`, true, operatorG},
	{`{"detail": {"source-ip": [{"cidr": "10.0.1.0/24"}]}}`, false, operatorG},
	{`{"detail": {"v6": [{"cidr": "2001:db8::/32"}]}}`, true, ruler + "#ip-address-matching"},
	{`{"detail": {"state": [{"cidr": "10.0.0.0/8"}]}}`, false, operatorG},

	{`{"detail": {"c-count": [{"exists": true}]}}`, true, operatorG},
	{`{"detail": {"nothing": [{"exists": true}]}}`, true, ruler + ": null is a value"},
	{`{"detail": {"missing": [{"exists": true}]}}`, false, operatorG},
	{`{"detail": {"missing": [{"exists": false}]}}`, true, operatorG},
	{`{"detail": {"c-count": [{"exists": false}]}}`, false, operatorG},
	{`{"detail": {"employees": [{"exists": false}]}}`, true, ruler + "#exists-matching: leaf nodes only"},
	{`{"detail": {"none": [{"exists": true}]}}`, false, ruler + ": an empty array has no value"},
	{`{"gone": {"x": [{"exists": false}]}}`, true, ruler},
	{`{"source": {"x": [{"exists": false}]}}`, true, ruler},
	{`{"detail": {"employees": {"firstName": [{"exists": false}]}}}`, false, ruler},
	{`{"detail": {"mixed": {"three": [{"exists": false}]}}}`, false, ruler},
	{`{"detail": {"missing": ["x", {"exists": false}]}}`, true, guide + "eb-create-pattern-operators.html#eb-filtering-complex-example"},

	{`{"detail": {"path": [{"wildcard": "dir/*.png"}]}}`, true, operatorG},
	{`{"detail": {"path": [{"wildcard": "*lib*"}]}}`, true, operatorG},
	{`{"detail": {"path": [{"wildcard": "dir/*.png*x"}]}}`, false, operatorG},
	{`{"detail": {"path": [{"wildcard": "dir/lib/a.png"}]}}`, true, operatorG},
	{`{"detail": {"empty": [{"wildcard": "*"}]}}`, true, operatorG},
	{`{"detail": {"stars": [{"wildcard": "a\\*b\\\\*"}]}}`, true, ruler + "#wildcard-matching: escapes"},
	{`{"detail": {"path": [{"wildcard": "dir/lib/a.png*png"}]}}`, false, ruler + ": parts do not overlap"},

	{`{"$or": [{"source": ["aws.s3"]}, {"detail": {"state": ["running"]}}]}`, true, operatorG},
	{`{"$or": [{"source": ["aws.s3"]}, {"region": ["eu-west-1"]}]}`, false, operatorG},
	{`{"source": ["aws.ec2"], "detail": {"$or": [{"c-count": [{"numeric": [">", 100]}]}, {"d-count": [{"numeric": ["<=", 3]}]}]}}`, true, operatorG},
	{`{"$or": [{"source": ["x"]}, {"region": ["us-east-1"], "$or": [{"account": ["1"]}, {"version": ["0"]}]}]}`, true, ruler + "#the-or-primitive"},
	{`{"$or": {"source": ["x"]}}`, false, ruler + ": not a list, so a field of that name"},

	{`{"detail": {"employees": {"firstName": ["Anna"]}}}`, true, ruler + "#json-array-matching"},
	{`{"detail": {"employees": {"firstName": ["Anna"], "lastName": ["Smith"]}}}`, true, ruler + "#json-array-matching"},
	{`{"detail": {"employees": {"firstName": ["Anna"], "lastName": ["Jones"]}}}`, false, ruler + "#json-array-matching"},
	{`{"detail": {"nested": {"a": [3], "b": [4]}}}`, true, ruler + "#json-array-matching"},
	{`{"detail": {"nested": {"a": [1], "b": [4]}}}`, false, ruler + "#json-array-matching"},
	{`{"detail": {"mixed": [2]}}`, true, arraysG},
	{`{"detail": {"mixed": ["four"]}}`, true, ruler + ": multi-level arrays too"},
	{`{"detail": {"escaped-key": ["café"]}}`, true, "RFC 8259, section 8.3"},
}

func TestMatches(t *testing.T) {
	for _, c := range matches {
		p, err := Compile([]byte(c.pattern))
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
			continue
		}
		if got := p.Matches([]byte(example)); got != c.want {
			t.Errorf("%s: got %t, want %t (%s)", c.pattern, got, c.want, c.source)
		}
	}
}

func TestIgnoringCaseBeyondASCII(t *testing.T) {
	for _, c := range []struct {
		pattern string
		want    bool
	}{
		{`{"x": [{"prefix": {"equals-ignore-case": "ÄB"}}]}`, true},
		{`{"x": [{"suffix": {"equals-ignore-case": "É"}}]}`, true},
		{`{"x": [{"suffix": {"equals-ignore-case": "xÉ"}}]}`, false},
		{`{"x": [{"prefix": {"equals-ignore-case": "äb cafés"}}]}`, false},
		{`{"x": [{"equals-ignore-case": "äb CAFÉ"}]}`, true},
	} {
		p, err := Compile([]byte(c.pattern))
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Matches([]byte(`{"x": "Äb café"}`)); got != c.want {
			t.Errorf("%s: got %t", c.pattern, got)
		}
	}
}

// What EventBridge refuses, it refuses with InvalidEventPatternException; the place and the
// reason are ours. Each refusal is one of github.com/aws/event-ruler's JsonRuleCompiler.
func TestRefusesPatterns(t *testing.T) {
	for _, c := range []struct{ pattern, path string }{
		{``, ""},
		{`[]`, ""},
		{`{"a": [1]} {}`, ""},
		{`{}`, ""},
		{`{"detail": {}}`, "detail"},
		{`{"source": "aws.ec2"}`, "source"},
		{`{"source": null}`, "source"},
		{`{"detail": {"a": []}}`, "detail.a"},
		{`{"detail": {"a": ["x", ["y"]]}}`, "detail.a[1]"},
		{`{"detail": {"a": ["x", {"prefx": "y"}]}}`, "detail.a[1].prefx"},
		{`{"detail": {"a": [{"prefix": "y", "suffix": "z"}]}}`, "detail.a[0]"},
		{`{"detail": {"a": [{}]}}`, "detail.a[0]"},
		{`{"a": [{"prefix": 1}]}`, "a[0].prefix"},
		{`{"a": [{"prefix": {"x": "y"}}]}`, "a[0].prefix"},
		{`{"a": [{"equals-ignore-case": ["y"]}]}`, "a[0].equals-ignore-case"},
		{`{"a": [{"exists": "yes"}]}`, "a[0].exists"},
		{`{"a": [{"wildcard": "a**b"}]}`, "a[0].wildcard"},
		{`{"a": [{"wildcard": "a\\b"}]}`, "a[0].wildcard"},
		{`{"a": [{"wildcard": "a\\"}]}`, "a[0].wildcard"},
		{`{"a": [{"wildcard": 1}]}`, "a[0].wildcard"},
		{`{"a": [{"numeric": []}]}`, "a[0].numeric"},
		{`{"a": [{"numeric": ["!", 1]}]}`, "a[0].numeric"},
		{`{"a": [{"numeric": [">", "1"]}]}`, "a[0].numeric"},
		{`{"a": [{"numeric": [">", 5000000001]}]}`, "a[0].numeric"},
		{`{"a": [{"numeric": [">", 5, "<", 5]}]}`, "a[0].numeric"},
		{`{"a": [{"numeric": ["<", 5, ">", 1]}]}`, "a[0].numeric"},
		{`{"a": [{"numeric": ["=", 5, "<", 7]}]}`, "a[0].numeric"},
		{`{"a": [{"cidr": "10.0.0.0"}]}`, "a[0].cidr"},
		{`{"a": [{"cidr": "10.0.0.0/33"}]}`, "a[0].cidr"},
		{`{"a": [{"cidr": 10}]}`, "a[0].cidr"},
		{`{"a": [{"anything-but": []}]}`, "a[0].anything-but"},
		{`{"a": [{"anything-but": ["x", 1]}]}`, "a[0].anything-but"},
		{`{"a": [{"anything-but": null}]}`, "a[0].anything-but"},
		{`{"a": [{"anything-but": 6e9}]}`, "a[0].anything-but"},
		{`{"a": [{"anything-but": {"prefix": ""}}]}`, "a[0].anything-but.prefix"},
		{`{"a": [{"anything-but": {"prefix": []}}]}`, "a[0].anything-but.prefix"},
		{`{"a": [{"anything-but": {"numeric": [">", 1]}}]}`, "a[0].anything-but.numeric"},
		{`{"a": [{"anything-but": {"wildcard": "**"}}]}`, "a[0].anything-but.wildcard"},
		{`{"a": [{"anything-but": {}}]}`, "a[0].anything-but"},
		{`{"$or": []}`, "$or"},
		{`{"$or": [{"a": ["b"]}]}`, "$or"},
		{`{"$or": [{"a": ["b"]}, "x"]}`, "$or[1]"},
		{`{"$or": [{"a": ["b"]}, {"prefix": ["x"]}]}`, "$or[1]"},
		{`{"detail": {"$or": [{"a": ["b"]}, {"c": "d"}]}}`, "detail.$or[1].c"},
	} {
		_, err := Compile([]byte(c.pattern))
		var e *PatternError
		if !errors.As(err, &e) {
			t.Errorf("%s: got %v, want a refusal", c.pattern, err)
			continue
		}
		if e.Path != c.path || e.Reason == "" {
			t.Errorf("%s: refused at %q (%s), want %q", c.pattern, e.Path, e.Reason, c.path)
		}
	}
}
