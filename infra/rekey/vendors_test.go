package rekey_test

import (
	"slices"
	"testing"
)

// rotate-apikey finds the deployment's own providers, and whom to ask for a key.
func TestSettingsOfVendors(t *testing.T) {
	stack := primary(t, everythingFile)
	for _, r := range stack.of("AWS::Lambda::Function") {
		if r.at("FunctionName") != "rotate-apikey" {
			continue
		}
		for variable, want := range map[string]string{
			"PROVIDERS_DIR": "/opt/providers",
			"ASK_EVENT_BUS": "arn:aws:events:eu-central-1:123456789012:event-bus/people",
			"ASK_TOPIC_ARN": "arn:aws:sns:eu-central-1:123456789012:keys",
		} {
			if got := r.at("Environment.Variables." + variable); got != want {
				t.Errorf("%s is %v, want %s", variable, got, want)
			}
		}
		layers, _ := r.at("Layers").([]any)
		if !slices.ContainsFunc(layers, func(l any) bool {
			ref, _ := l.(map[string]any)
			id, _ := ref["Ref"].(string)
			return stack.Resources[id].Type == "AWS::Lambda::LayerVersion"
		}) {
			t.Errorf("no layer of providers: %v", layers)
		}
		return
	}
	t.Error("no rotate-apikey")
}
