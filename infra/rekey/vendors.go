package rekey

import (
	"slices"

	"github.com/rekey-aws/rekey/infra/config"
)

// addProviders deploys the file's own providers with rotate-apikey.
func (p *primary) addProviders(props *FunctionProps) {
	files := map[string][]byte{}
	for name, content := range p.OwnProviders() {
		files["providers/"+name] = content
	}
	if len(files) == 0 {
		return
	}
	props.Layers = append(props.Layers, p.layer("Providers", files))
	props.Environment["PROVIDERS_DIR"] = "/opt/providers"
}

// accessKeyActions are what the provider aws-iam does with a user's access keys.
var accessKeyActions = []string{
	"iam:CreateAccessKey", "iam:DeleteAccessKey", "iam:GetAccessKeyLastUsed", "iam:ListAccessKeys", "iam:UpdateAccessKey",
}

// mayManageKeys lets rotate-apikey make and end access keys of the users whose keys it
// rotates, and of no other. A user's path is not known: the name is.
func (p *primary) mayManageKeys() {
	var users []string
	for _, s := range p.secrets {
		if k := s.APIKey; k != nil && k.Provider == "aws-iam" {
			user := "arn:" + *p.stack.Partition() + ":iam::" + account(p.stack) + ":user/"
			users = append(users, user+k.Options["userName"], user+"*/"+k.Options["userName"])
		}
	}
	if len(users) == 0 {
		return
	}
	slices.Sort(users)
	p.functions[config.RotateAPIKey].May("AccessKeys", "Access keys of IAM users",
		Statement{
			Sid: "AccessKeys", Actions: accessKeyActions, Resources: slices.Compact(users),
			Wide: "The name of a user is unique in the account, whatever its path: the * stands for the path alone.",
		})
}

// asks tells the function where to ask for a key that only a person can make.
func (p *primary) asks(props *FunctionProps) {
	ask := p.Functions.RotateAPIKey.Ask
	if ask.EventBus != "" {
		props.Environment["ASK_EVENT_BUS"] = string(ask.EventBus)
	}
	if ask.Topic != "" {
		props.Environment["ASK_TOPIC_ARN"] = string(ask.Topic)
	}
}

func (p *primary) mayAsk() {
	ask := p.Functions.RotateAPIKey.Ask
	f := p.functions[config.RotateAPIKey]
	if f == nil {
		return
	}
	var all []Statement
	if ask.EventBus != "" {
		all = append(all, Statement{Sid: "Event", Actions: []string{"events:PutEvents"}, Resources: []string{string(ask.EventBus)}})
	}
	if ask.Topic != "" {
		all = append(all, Statement{Sid: "Message", Actions: []string{"sns:Publish"}, Resources: []string{string(ask.Topic)}})
	}
	if ask.TopicKey != "" {
		all = append(all, Statement{
			Sid: "Encrypt", Actions: []string{"kms:Decrypt", "kms:GenerateDataKey"}, Resources: []string{string(ask.TopicKey)},
			Conditions: Conditions{"StringEquals": {"kms:ViaService": endpointOf(p.stack, "sns")}},
		})
	}
	f.May("Ask", "Asks a person for a key", all...)
}
