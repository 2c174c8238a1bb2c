package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/account"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/fleet"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// ask invokes the function with the doctor's event. Where there is no diagnosis, findings say
// why not.
func (e *Examiner) ask(ctx context.Context, f *facts) (*rotation.Diagnosis, []rotation.Finding) {
	const check = "inside"
	arn := aws.ToString(f.secret.RotationLambdaARN)
	payload, err := json.Marshal(rotation.Event{Step: rotation.DoctorStep, SecretID: aws.ToString(f.secret.ARN)})
	if err != nil {
		return nil, []rotation.Finding{rotation.Found(check, "", err)}
	}
	out, err := e.functions.Invoke(ctx, &lambda.InvokeInput{FunctionName: &arn, Payload: payload}, func(o *lambda.Options) {
		o.RetryMaxAttempts = 1 // the examination logs in: it is not repeated unasked
	})
	if err != nil {
		err = account.Explain(ctx, "asking the function: Invoke", err)
		if errors.Is(err, rotation.ErrDenied) {
			return nil, []rotation.Finding{unseen(check, "lambda:InvokeFunction on "+arn, err)}
		}
		said, remedy := apart(err)
		return nil, []rotation.Finding{fail(check, remedy, "%s", said)}
	}
	if out.FunctionError != nil {
		return nil, []rotation.Finding{complaint(out.Payload, fleet.FunctionName(arn))}
	}
	var d rotation.Diagnosis
	if json.Unmarshal(out.Payload, &d) != nil || d.Secret == "" {
		return nil, []rotation.Finding{ignorant(fleet.FunctionName(arn))}
	}
	return &d, nil
}

const elsewhere = "Deploy the function of this release, or examine from here: rekey doctor --from-here."

// ignorant is about a function that answered, and not with a diagnosis.
func ignorant(function string) rotation.Finding {
	return rotation.Finding{
		Check: "inside", Verdict: rotation.Skipped, Remedy: elsewhere,
		Said: function + " does not know the doctor's event: it is older than this command, or none of rekey's",
	}
}

// complaint is about a function that answered with an error.
//
// https://docs.aws.amazon.com/lambda/latest/dg/golang-exceptions.html
func complaint(payload []byte, function string) rotation.Finding {
	var said struct {
		Type    string `json:"errorType"`
		Message string `json:"errorMessage"`
	}
	if json.Unmarshal(payload, &said) != nil || said.Message == "" {
		return ignorant(function)
	}
	switch {
	case said.Type == "StepError" && strings.Contains(said.Message, `Step is "doctor"`):
		return ignorant(function) // rekey's, before it had a doctor
	case said.Type == "StepError":
		text, remedy, _ := strings.Cut(said.Message, ". What to do: ")
		return fail("inside", remedy, "%s", text)
	case said.Type == "Sandbox.Timedout" || strings.Contains(said.Message, "Task timed out"):
		return fail("inside", "See whether the function reaches what it needs, with its security groups and subnets; give it more time if it does.",
			"%s did not end in its time: %s", function, said.Message)
	case strings.HasPrefix(said.Type, "Runtime."):
		return fail("inside", "Deploy the function again.", "%s does not run: %s", function, said.Message)
	}
	// What another function says of an event that is not its own may hold anything.
	return ignorant(function)
}
