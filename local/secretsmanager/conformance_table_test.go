package secretsmanager_test

type conformance struct {
	operation string
	rows      []row
}

// Sources, as the comments name them:
//
//	API     https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_<Operation>.html
//	UG      https://docs.aws.amazon.com/secretsmanager/latest/userguide/
//	LS      https://github.com/localstack/localstack, tests/aws/services/secretsmanager/test_secretsmanager.py
//	        and its snapshot.json: recorded on AWS
//	moto    https://github.com/getmoto/moto, tests/test_secretsmanager
//	CLI     examples of https://docs.aws.amazon.com/cli/latest/reference/secretsmanager/
const (
	arnForm   = `~arn:aws:secretsmanager:us-east-1:123456789012:secret:s-[A-Za-z0-9]{6}`
	uuidForm  = `~[0-9a-f-]{36}`
	v1        = "00000000-0000-4000-8000-000000000001"
	v2        = "00000000-0000-4000-8000-000000000002"
	notFound  = "Secrets Manager can't find the specified secret."
	marked    = "You can't perform this operation on the secret because it was marked for deletion."
	onReplica = "Operation not permitted on a replica secret. Call must be made in primary secret's region."
)

// made creates the secret s with the value v1 and the version v1.
var made = row{setup: true, operation: "CreateSecret", in: `{"Name":"s","SecretString":"v1","ClientRequestToken":"` + v1 + `"}`}

func prepare(operation, in string) row { return row{setup: true, operation: operation, in: in} }

// replicated makes s with a replica in eu-west-1.
var replicated = prepare("CreateSecret", `{"Name":"s","SecretString":"v1","ClientRequestToken":"`+v1+`","AddReplicaRegions":[{"Region":"eu-west-1"}]}`)

var conformances = []conformance{
	{"CreateSecret", []row{
		// API, Response Syntax; LS test_create_and_update_secret: the ARN ends with - and six characters.
		{
			operation: "CreateSecret", in: `{"Name":"s","SecretString":"v1","KmsKeyId":"alias/app","Description":"d","Tags":[{"Key":"k","Value":"v"}]}`,
			want: `{"ARN":"` + arnForm + `","Name":"s","VersionId":"` + uuidForm + `","ReplicationStatus":null}`,
		},
		// LS test_secret_exists: the message.
		{operation: "CreateSecret", in: `{"Name":"s","SecretString":"other"}`, code: "ResourceExistsException", message: "The operation failed because the secret s already exists."},
		// LS test_invalid_secret_name: the message.
		{operation: "CreateSecret", in: `{"Name":"in valid"}`, code: "ValidationException", message: "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!"},
		// https://github.com/hashicorp/terraform-provider-aws/pull/13303: the message.
		{operation: "CreateSecret", in: `{"Name":"t","KmsKeyId":"app"}`, code: "InvalidParameterException", message: "The operation failed because of an invalid KMS key: Invalid keyId"},
	}},
	{"GetSecretValue", []row{
		made,
		// API, Response Syntax: CreatedDate is the version's, VersionStages its labels.
		{operation: "GetSecretValue", in: `{"SecretId":"s"}`, want: `{"ARN":"` + arnForm + `","Name":"s","VersionId":"` + v1 + `","SecretString":"v1","SecretBinary":null,"VersionStages":["AWSCURRENT"],"CreatedDate":"~2026-07-15T.*"}`},
		// LS test_get_secret_value_errors: both messages.
		{operation: "GetSecretValue", in: `{"SecretId":"s","VersionStage":"AWSPREVIOUS"}`, code: "ResourceNotFoundException", message: "Secrets Manager can't find the specified secret value for staging label: AWSPREVIOUS"},
		{operation: "GetSecretValue", in: `{"SecretId":"s","VersionId":"` + v1 + `","VersionStage":"AWSPREVIOUS"}`, code: "InvalidRequestException", message: "You provided a VersionStage that is not associated to the provided VersionId."},
	}},
	{"PutSecretValue", []row{
		made,
		// LS test_put_secret_value_with_version_stages: the labels of the new version are answered.
		{operation: "PutSecretValue", in: `{"SecretId":"s","SecretString":"v2","ClientRequestToken":"` + v2 + `","VersionStages":["A","B"]}`, want: `{"ARN":"` + arnForm + `","Name":"s","VersionId":"` + v2 + `","VersionStages":["A","B"]}`},
		// API: "If the version already exists and the value differs, the request fails". The text: moto.
		{operation: "PutSecretValue", in: `{"SecretId":"s","SecretString":"v3","ClientRequestToken":"` + v2 + `"}`, code: "ResourceExistsException"},
		// LS test_secret_not_found: the message.
		{operation: "PutSecretValue", in: `{"SecretId":"nosuch","SecretString":"v"}`, code: "ResourceNotFoundException", message: notFound},
	}},
	{"UpdateSecret", []row{
		made,
		// API: VersionId only if a version was made; LS test_update_secret_description.
		{operation: "UpdateSecret", in: `{"SecretId":"s","Description":"new"}`, want: `{"ARN":"` + arnForm + `","Name":"s","VersionId":null}`},
		{operation: "UpdateSecret", in: `{"SecretId":"s","SecretString":"v2","ClientRequestToken":"` + v2 + `"}`, want: `{"VersionId":"` + v2 + `"}`},
	}},
	{"UpdateSecretVersionStage", []row{
		made, prepare("PutSecretValue", `{"SecretId":"s","SecretString":"v2","ClientRequestToken":"`+v2+`","VersionStages":["AWSPENDING"]}`),
		// LS test_update_secret_version_stages_return_type.
		{operation: "UpdateSecretVersionStage", in: `{"SecretId":"s","VersionStage":"AWSCURRENT","MoveToVersionId":"` + v2 + `","RemoveFromVersionId":"` + v1 + `"}`, want: `{"ARN":"` + arnForm + `","Name":"s"}`},
		// LS snapshot: the message names the version that has the label.
		{
			operation: "UpdateSecretVersionStage", in: `{"SecretId":"s","VersionStage":"AWSCURRENT","MoveToVersionId":"` + v1 + `"}`, code: "InvalidParameterException",
			message: "The parameter RemoveFromVersionId can't be empty. Staging label AWSCURRENT is currently attached to version " + v2 + ", so you must explicitly reference that version in RemoveFromVersionId.",
		},
	}},
	{"DescribeSecret", []row{
		prepare("CreateSecret", `{"Name":"s","SecretString":"v1","ClientRequestToken":"`+v1+`","KmsKeyId":"alias/app","AddReplicaRegions":[{"Region":"eu-west-1"}],"Tags":[{"Key":"k","Value":"v"}]}`),
		// API, Response Syntax; https://github.com/rebuy-de/aws-nuke/issues/1127: PrimaryRegion of replicated secrets;
		// UG replicate-secrets: the default key's name; LS test_rotate_secret_invalid_lambda_arn: no RotationEnabled before rotation.
		{operation: "DescribeSecret", in: `{"SecretId":"s"}`, want: `{"ARN":"` + arnForm + `","Name":"s","KmsKeyId":"alias/app","PrimaryRegion":"us-east-1","Tags":[{"Key":"k","Value":"v"}],"RotationEnabled":null,"OwningService":null,
			"VersionIdsToStages":{"` + v1 + `":["AWSCURRENT"]},"ReplicationStatus":[{"Region":"eu-west-1","KmsKeyId":"alias/aws/secretsmanager","Status":"InSync","StatusMessage":null}]}`},
		// API_DescribeSecret, replica: the ARN differs in the Region only.
		{operation: "DescribeSecret", region: "eu-west-1", in: `{"SecretId":"s"}`, want: `{"ARN":"~arn:aws:secretsmanager:eu-west-1:123456789012:secret:s-[A-Za-z0-9]{6}","PrimaryRegion":"us-east-1","VersionIdsToStages":{"` + v1 + `":["AWSCURRENT"]}}`},
	}},
	{"ListSecrets", []row{
		made, prepare("CreateSecret", `{"Name":"t","Description":"an secret"}`), prepare("DeleteSecret", `{"SecretId":"t"}`), prepare("CreateSecret", `{"Name":"/u","Description":"asecret"}`),
		// API: secrets marked for deletion are left out; SecretVersionsToStages.
		{operation: "ListSecrets", in: `{"MaxResults":100}`, want: `{"SecretList":[{"Name":"~s|/u"},{"Name":"~s|/u"}],"NextToken":null}`},
		{operation: "ListSecrets", in: `{"IncludePlannedDeletion":true,"Filters":[{"Key":"description","Values":["a secret"]}]}`, want: `{"SecretList":[{"Name":"t","DeletedDate":"~2026-08-14.*"}]}`}, // LS test_list_secrets_filtering
		{operation: "ListSecrets", in: `{"Filters":[{"Key":"name","Values":["!/"]}]}`, want: `{"SecretList":[{"Name":"s","SecretVersionsToStages":{"` + v1 + `":["AWSCURRENT"]}}]}`},                   // LS test_list_secrets_filtering
		// moto test_with_no_filter_values: the message.
		{operation: "ListSecrets", in: `{"Filters":[{"Key":"description"}]}`, code: "InvalidParameterException", message: "Invalid filter values for key: description"},
	}},
	{"ListSecretVersionIds", []row{
		made, prepare("PutSecretValue", `{"SecretId":"s","SecretString":"v2","ClientRequestToken":"`+v2+`","VersionStages":["A"]}`),
		prepare("UpdateSecretVersionStage", `{"SecretId":"s","VersionStage":"A","RemoveFromVersionId":"`+v2+`"}`),
		// API: versions without labels only with IncludeDeprecated; LS snapshot: KmsKeyIds of the default key.
		{operation: "ListSecretVersionIds", in: `{"SecretId":"s"}`, want: `{"ARN":"` + arnForm + `","Name":"s","Versions":[{"VersionId":"` + v1 + `","VersionStages":["AWSCURRENT"],"KmsKeyIds":["DefaultEncryptionKey"]}]}`},
		{operation: "ListSecretVersionIds", in: `{"SecretId":"s","IncludeDeprecated":true}`, want: `{"Versions":[{"VersionId":"` + v1 + `"},{"VersionId":"` + v2 + `","VersionStages":null}]}`},
	}},
	{"BatchGetSecretValue", []row{
		made, prepare("CreateSecret", `{"Name":"empty"}`),
		// API: what cannot be read is in Errors. moto: the texts of the refusals.
		{
			operation: "BatchGetSecretValue", sdkOnly: true, in: `{"SecretIdList":["s","nosuch","empty"]}`,
			want: `{"SecretValues":[{"Name":"s","SecretString":"v1","VersionStages":["AWSCURRENT"]}],"Errors":[{"SecretId":"nosuch","ErrorCode":"ResourceNotFoundException","Message":"` + notFound + `"},{"SecretId":"empty","ErrorCode":"ResourceNotFoundException"}]}`,
		},
		{operation: "BatchGetSecretValue", sdkOnly: true, in: `{"SecretIdList":["s"],"Filters":[{"Key":"name","Values":["s"]}]}`, code: "InvalidParameterException", message: "Either 'SecretIdList' or 'Filters' must be provided, but not both."},
		{operation: "BatchGetSecretValue", sdkOnly: true, in: `{"SecretIdList":["s"],"MaxResults":1}`, code: "InvalidParameterException", message: "'Filters' not specified. 'Filters' must also be specified when 'MaxResults' is provided."},
	}},
	{"GetRandomPassword", []row{
		// API: 32 characters by default; LS test_get_random_exclude_characters_and_symbols.
		{operation: "GetRandomPassword", in: `{}`, want: `{"RandomPassword":"~(?s).{32}"}`},
		{operation: "GetRandomPassword", in: `{"PasswordLength":20,"ExcludePunctuation":true,"ExcludeCharacters":"abc"}`, want: `{"RandomPassword":"~[A-Zd-z0-9]{20}"}`},
		// moto test_get_random_too_short_password: the message.
		{operation: "GetRandomPassword", in: `{"PasswordLength":3}`, code: "InvalidParameterException", message: "Password length is too short based on the required types."},
	}},
	{"TagResource", []row{
		made,
		// API: no content. LS test_secret_tags: tags are added.
		{operation: "TagResource", in: `{"SecretId":"s","Tags":[{"Key":"a","Value":"1"}]}`},
		// API: keys that begin with aws: are reserved.
		{operation: "TagResource", in: `{"SecretId":"s","Tags":[{"Key":"aws:a","Value":"1"}]}`, code: "InvalidParameterException"},
	}},
	{"UntagResource", []row{
		made, prepare("TagResource", `{"SecretId":"s","Tags":[{"Key":"a","Value":"1"}]}`),
		// API: no content; a key that is not there is no error.
		{operation: "UntagResource", in: `{"SecretId":"s","TagKeys":["a","nosuch"]}`},
		{operation: "UntagResource", in: `{"SecretId":"nosuch","TagKeys":["a"]}`, code: "ResourceNotFoundException", message: notFound},
	}},
	{"DeleteSecret", []row{
		replicated,
		// https://github.com/gruntwork-io/cloud-nuke/issues/435 shows the text, with the ARN in it.
		{operation: "DeleteSecret", in: `{"SecretId":"s"}`, code: "InvalidParameterException"},
		{operation: "DeleteSecret", region: "eu-west-1", in: `{"SecretId":"s"}`, code: "InvalidParameterException", message: onReplica}, // same issue
		prepare("RemoveRegionsFromReplication", `{"SecretId":"s","RemoveReplicaRegions":["eu-west-1"]}`),
		// API: 30 days by default, 7 to 30; LS for the text.
		{operation: "DeleteSecret", in: `{"SecretId":"s","RecoveryWindowInDays":6}`, code: "InvalidParameterException", message: "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive)."},
		{operation: "DeleteSecret", in: `{"SecretId":"s"}`, want: `{"ARN":"` + arnForm + `","Name":"s","DeletionDate":"~2026-08-14T15:20:30.*"}`},
		// LS test_delete_non_existent_secret_returns_as_if_secret_exists.
		{operation: "DeleteSecret", in: `{"SecretId":"nosuch","ForceDeleteWithoutRecovery":true}`, want: `{"Name":"nosuch"}`},
	}},
	{"RestoreSecret", []row{
		made, prepare("DeleteSecret", `{"SecretId":"s"}`),
		// LS test_secret_restore.
		{operation: "RestoreSecret", in: `{"SecretId":"s"}`, want: `{"ARN":"` + arnForm + `","Name":"s"}`},
		{operation: "RestoreSecret", in: `{"SecretId":"nosuch"}`, code: "ResourceNotFoundException", message: notFound},
	}},
	{"RotateSecret", []row{
		made,
		// LS test_rotate_secret_invalid_lambda_arn: AccessDeniedException.
		{
			operation: "RotateSecret", in: `{"SecretId":"s","RotationLambdaARN":"arn:aws:lambda:us-east-1:123456789012:function:nosuch"}`, code: "AccessDeniedException",
			message: "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants access to the principal secretsmanager.amazonaws.com.",
		},
		// API_RotationRulesType: every four hours at most.
		{operation: "RotateSecret", in: `{"SecretId":"s","RotationLambdaARN":"` + functionARN + `","RotationRules":{"ScheduleExpression":"rate(3 hours)"}}`, code: "InvalidParameterException"},
		// LS test_rotate_secret_with_lambda_success: the new version's id is the token.
		{operation: "RotateSecret", in: `{"SecretId":"s","RotationLambdaARN":"` + functionARN + `","ClientRequestToken":"` + v2 + `","RotationRules":{"AutomaticallyAfterDays":1}}`, want: `{"ARN":"` + arnForm + `","Name":"s","VersionId":"` + v2 + `"}`},
	}},
	{"CancelRotateSecret", []row{
		made,
		// moto test_cancel_rotate_secret_before_enable: the message.
		{operation: "CancelRotateSecret", in: `{"SecretId":"s"}`, code: "InvalidRequestException", message: "You tried to cancel the rotation of a secret that was never configured for rotation."},
		prepare("RotateSecret", `{"SecretId":"s","RotationLambdaARN":"`+functionARN+`","ClientRequestToken":"`+v2+`","RotationRules":{"AutomaticallyAfterDays":1}}`),
		// API: VersionId is the version that has AWSPENDING, if it is not also current.
		{operation: "CancelRotateSecret", in: `{"SecretId":"s"}`, want: `{"ARN":"` + arnForm + `","Name":"s"}`},
	}},
	{"PutResourcePolicy", []row{
		made,
		// LS test_resource_policy: a public policy is taken unless BlockPublicPolicy is set.
		{operation: "PutResourcePolicy", in: `{"SecretId":"s","ResourcePolicy":` + quoted(publicPolicy) + `}`, want: `{"ARN":"` + arnForm + `","Name":"s"}`},
		// UG manage_secret-policy (2021): the text; API: the exception.
		{operation: "PutResourcePolicy", in: `{"SecretId":"s","BlockPublicPolicy":true,"ResourcePolicy":` + quoted(publicPolicy) + `}`, code: "PublicPolicyException", message: "You can't attach a resource-based policy that allows broad access to the secret."},
		{operation: "PutResourcePolicy", in: `{"SecretId":"s","ResourcePolicy":"{}"}`, code: "MalformedPolicyDocumentException"},
		{operation: "PutResourcePolicy", in: `{"SecretId":"nosuch","ResourcePolicy":"{}"}`, code: "ResourceNotFoundException", message: notFound},
	}},
	{"GetResourcePolicy", []row{
		made,
		// https://github.com/getmoto/moto/pull/6049: no ResourcePolicy if there is none.
		{operation: "GetResourcePolicy", in: `{"SecretId":"s"}`, want: `{"ARN":"` + arnForm + `","Name":"s","ResourcePolicy":null}`},
		prepare("PutResourcePolicy", `{"SecretId":"s","ResourcePolicy":`+quoted(publicPolicy)+`}`),
		{operation: "GetResourcePolicy", in: `{"SecretId":"s"}`, want: `{"ResourcePolicy":` + quoted(publicPolicy) + `}`}, // LS test_resource_policy
	}},
	{"DeleteResourcePolicy", []row{
		made, prepare("PutResourcePolicy", `{"SecretId":"s","ResourcePolicy":`+quoted(publicPolicy)+`}`),
		// API, Response Syntax.
		{operation: "DeleteResourcePolicy", in: `{"SecretId":"s"}`, want: `{"ARN":"` + arnForm + `","Name":"s"}`},
		{operation: "GetResourcePolicy", in: `{"SecretId":"s"}`, want: `{"ResourcePolicy":null}`},
	}},
	{"ValidateResourcePolicy", []row{
		// API: three checks; UG manage_secret-policy (2021): their texts.
		{operation: "ValidateResourcePolicy", in: `{"ResourcePolicy":` + quoted(publicPolicy) + `}`, want: `{"PolicyValidationPassed":false,"ValidationErrors":[{"ErrorMessage":"You can't attach a resource-based policy that allows broad access to the secret."}]}`},
		{operation: "ValidateResourcePolicy", in: `{"ResourcePolicy":"{\"Version\":\"2012-10-17\"}"}`, want: `{"PolicyValidationPassed":false,"ValidationErrors":[{"ErrorMessage":"~This resource policy contains a syntax error\\..*"}]}`},
	}},
	{"ReplicateSecretToRegions", []row{
		made,
		// CLI example of replicate-secret-to-regions: InProgress, with the default key's name.
		{operation: "ReplicateSecretToRegions", in: `{"SecretId":"s","AddReplicaRegions":[{"Region":"eu-west-3"}]}`, want: `{"ARN":"` + arnForm + `","ReplicationStatus":[{"Region":"eu-west-3","KmsKeyId":"alias/aws/secretsmanager","Status":"InProgress"}]}`},
		// https://github.com/aws-samples/aws-health-aware/pull/32: the message.
		{operation: "ReplicateSecretToRegions", in: `{"SecretId":"s","AddReplicaRegions":[{"Region":"us-east-1"}]}`, code: "InvalidParameterException", message: "Invalid replica region."},
		// moto test_update_replica: the message.
		{operation: "ReplicateSecretToRegions", region: "eu-west-3", in: `{"SecretId":"s","AddReplicaRegions":[{"Region":"us-west-1"}]}`, code: "InvalidParameterException", message: onReplica},
	}},
	{"RemoveRegionsFromReplication", []row{
		replicated,
		// moto test_remove_regions_from_replication: the replica is gone at once, and again is no error.
		{operation: "RemoveRegionsFromReplication", in: `{"SecretId":"s","RemoveReplicaRegions":["eu-west-1"]}`, want: `{"ARN":"` + arnForm + `","ReplicationStatus":null}`},
		{operation: "DescribeSecret", region: "eu-west-1", in: `{"SecretId":"s"}`, code: "ResourceNotFoundException", message: notFound},
	}},
	{"StopReplicationToReplica", []row{
		replicated,
		// API: "The ARN is the same as the original primary secret except the Region is changed."
		{operation: "StopReplicationToReplica", region: "eu-west-1", in: `{"SecretId":"s"}`, want: `{"ARN":"~arn:aws:secretsmanager:eu-west-1:123456789012:secret:s-[A-Za-z0-9]{6}"}`},
		// UG standalone-secret: it is a secret of its own then.
		{operation: "PutSecretValue", region: "eu-west-1", in: `{"SecretId":"s","SecretString":"its own"}`, want: `{"Name":"s"}`},
	}},
}

const publicPolicy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"secretsmanager:GetSecretValue","Resource":"*"}]}`
