package lambda

import (
	"errors"
	"testing"
)

func TestRegistryFindsAsLambdaDoes(t *testing.T) {
	var r Registry
	t.Cleanup(func() { _ = r.Close() })
	add := func(edit func(*Config)) *Function {
		f, _ := deploy(t, "handler", edit)
		if err := r.Add(f); err != nil {
			t.Fatal(err)
		}
		return f
	}
	one := add(nil)
	add(func(c *Config) { c.Name = "both" })
	add(func(c *Config) { c.Name, c.Region = "both", "eu-west-1" })
	if err := r.Add(one); err == nil {
		t.Error("the same ARN was added twice")
	}
	const arn = "arn:aws:lambda:us-east-1:123456789012:function:"
	tests := []struct{ name, invokedAs, code string }{
		{"handler", arn + "handler", ""},
		{"handler:live", arn + "handler:live", ""},
		{"handler:$LATEST", arn + "handler:$LATEST", ""},
		{"123456789012:function:handler:7", arn + "handler:7", ""},
		{arn + "handler", arn + "handler", ""},
		{arn + "handler:live", arn + "handler:live", ""},
		{arn + "both", arn + "both", ""},
		{"both", "", "InvalidParameterValueException"},
		{arn + "other", "", "ResourceNotFoundException"},
		{"210987654321:function:handler", "", "ResourceNotFoundException"},
		{"arn:aws:lambda:eu-west-1:123456789012:function:handler", "", "ResourceNotFoundException"},
		{"arn:aws-cn:lambda:us-east-1:123456789012:function:handler", "", "ResourceNotFoundException"},
		{"arn:aws:lambda:us-east-1:210987654321:function:handler", "", "ResourceNotFoundException"},
		{"arn:aws:sns:us-east-1:123456789012:handler", "", "InvalidParameterValueException"},
		{arn + "handler:a:b", "", "InvalidParameterValueException"},
		{"handler:", "", "InvalidParameterValueException"},
		{"no spaces", "", "InvalidParameterValueException"},
		{"", "", "InvalidParameterValueException"},
	}
	for _, tt := range tests {
		f, invokedAs, err := r.Find(tt.name)
		var refusal *ServiceError
		if errors.As(err, &refusal); err != nil && (refusal == nil || refusal.Code != tt.code) || err == nil && tt.code != "" {
			t.Errorf("%q: error %v, want %q", tt.name, err, tt.code)
		}
		if invokedAs != tt.invokedAs || (f == nil) != (tt.code != "") || r.Has(tt.name) != (tt.code == "") {
			t.Errorf("%q: found %t as %q, want %q", tt.name, f != nil, invokedAs, tt.invokedAs)
		}
	}
}

func TestRegistryInvokesUnderTheNameThatWasUsed(t *testing.T) {
	var r Registry
	f, _ := deploy(t, "handler", nil)
	if err := r.Add(f); err != nil {
		t.Fatal(err)
	}
	body, report, err := r.InvokeReport(t.Context(), f.ARN()+":live", []byte(`{"Do":"raw","Text":"[1]"}`))
	if err != nil || string(body) != "[1]" || report.Function != "handler" {
		t.Errorf("got %s, report %+v, error %v", body, report, err)
	}
	if len(r.Functions()) != 1 {
		t.Errorf("functions %v", r.Functions())
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if _, err := r.Invoke(t.Context(), "handler", nil); err == nil || r.Has("handler") {
		t.Error("the registry still knows a function after Close")
	}
	if _, err := f.Invoke(t.Context(), nil); !errors.Is(err, ErrClosed) {
		t.Errorf("the function is not closed: error %v", err)
	}
}

func TestPartitions(t *testing.T) {
	for region, want := range map[string]string{"us-east-1": "aws", "cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov"} {
		if got := partitionOf(region); got != want || !regionName.MatchString(region) {
			t.Errorf("%s is in %s, want %s", region, got, want)
		}
	}
}

func FuzzParseARN(f *testing.F) {
	for _, seed := range []string{"a", "a:$LATEST", "123456789012:function:a:1", "arn:aws:lambda:us-east-1:123456789012:function:a:b", "arn:::::function:"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		arn, ok := parseARN(s)
		if !ok {
			return
		}
		if again, ok := parseARN(arn.String()); !ok || again != arn {
			t.Errorf("%q is %+v, its ARN is %+v", s, arn, again)
		}
	})
}
