"""A rotation that changes the secret and no database: what stands in for a template."""
import json
import os
import urllib.request


def call(operation, **members):
    request = urllib.request.Request(os.environ["SECRETS_MANAGER_ENDPOINT"], json.dumps(members).encode(), {
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": "secretsmanager." + operation,
        "X-Amz-Date": "20270102T030405Z",
        "Authorization": "AWS4-HMAC-SHA256 Credential=" + os.environ["AWS_ACCESS_KEY_ID"]
        + "/20270102/us-east-1/secretsmanager/aws4_request, SignedHeaders=host;x-amz-date, Signature=" + "0" * 64,
    })
    with urllib.request.urlopen(request) as reply:
        return json.load(reply)


def lambda_handler(event, context):
    secret, token = event["SecretId"], event["ClientRequestToken"]
    if event["Step"] == "createSecret":
        call("PutSecretValue", SecretId=secret, ClientRequestToken=token, SecretString='{"a": "value"}', VersionStages=["AWSPENDING"])
    if event["Step"] == "finishSecret":
        stages = call("DescribeSecret", SecretId=secret)["VersionIdsToStages"]
        current = next(version for version, labels in stages.items() if "AWSCURRENT" in labels)
        call("UpdateSecretVersionStage", SecretId=secret, VersionStage="AWSCURRENT", MoveToVersionId=token, RemoveFromVersionId=current)
