// Package rotation is the rotation contract of AWS Secrets Manager: the four
// steps, the checks before each, the staging labels, the errors and the one log
// line per step. It knows nothing of databases, vendors or the AWS SDK.
//
// A [Machine] drives an [Engine] (which changes one kind of credential in the
// system that owns it) over a [Store] (which holds the versions of the secret).
// Secrets Manager invokes the function once per step and, when a step fails,
// repeats the whole sequence with the same token; two invocations may overlap.
// So every step may run again at any point, after any partial effect. The
// machine keeps these rules:
//
//   - The value to come is stored before it is used anywhere (createSecret).
//   - The only commit point is moving AWSCURRENT (finishSecret).
//   - A token that is already AWSCURRENT is done: every step succeeds without
//     touching anything.
//   - A token that is not AWSPENDING changes nothing.
//
// Where the old credential outlives the rotation, a fifth invocation ends it after
// a grace period: see [Retirer] and [Planner].
//
// Source of the contract:
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
package rotation
