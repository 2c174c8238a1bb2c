package account

import (
	"github.com/rekey-aws/rekey/shared/awsclient"
	"github.com/rekey-aws/rekey/shared/rotation"
)

// https://docs.aws.amazon.com/secretsmanager/latest/apireference/CommonErrors.html
var secretsErrors = awsclient.Errors{
	Codes: map[string]awsclient.Meaning{
		"ResourceNotFoundException": {Kind: rotation.ErrConfig, Hint: "The secret is not there, or has no value: make it, or correct the sink's secret in the configuration."},
		"AccessDeniedException":     {Kind: rotation.ErrDenied, Hint: "Allow the action to the function's role: secretsmanager:GetSecretValue on the sinks' secrets, secretsmanager:ListSecrets on *."},
		"DecryptionFailure":         {Kind: rotation.ErrDenied, Hint: "Allow kms:Decrypt on the secret's key to the function's role, and check that the key is enabled."},
		"InvalidRequestException":   {Kind: rotation.ErrConfig, Hint: "The secret is marked for deletion: restore it, or correct the sink's secret in the configuration."},
		"InvalidNextTokenException": {Kind: rotation.ErrNotFound},
	},
	NoAnswer: "Secrets Manager did not answer: in a VPC the function needs an interface endpoint for Secrets Manager, with private DNS.",
}

// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html#API_FilterLogEvents_Errors
var logsErrors = awsclient.Errors{
	Codes: map[string]awsclient.Meaning{
		"ResourceNotFoundException": {Kind: rotation.ErrNotFound, Hint: "The log group is not there: name it in logGroups."},
		"AccessDeniedException":     {Kind: rotation.ErrDenied, Hint: "Allow logs:FilterLogEvents on the log groups of the rotation functions to the function's role."},
		"InvalidParameterException": {Kind: rotation.ErrVendor},
	},
	NoAnswer: "CloudWatch Logs did not answer: in a VPC the function needs an interface endpoint for CloudWatch Logs, with private DNS.",
}

// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html#API_SendMessage_Errors
var queueErrors = awsclient.Errors{
	Codes: map[string]awsclient.Meaning{
		"AccessDenied":                            {Kind: rotation.ErrDenied, Hint: "Allow sqs:SendMessage on the queue of dead letters to the function's role."},
		"AccessDeniedException":                   {Kind: rotation.ErrDenied, Hint: "Allow sqs:SendMessage on the queue of dead letters to the function's role."},
		"AWS.SimpleQueueService.NonExistentQueue": {Kind: rotation.ErrConfig, Hint: "The queue is not there: correct DEAD_LETTERS."},
		"QueueDoesNotExist":                       {Kind: rotation.ErrConfig, Hint: "The queue is not there: correct DEAD_LETTERS."},
	},
	NoAnswer: "SQS did not answer: in a VPC the function needs an interface endpoint for SQS, with private DNS.",
}
