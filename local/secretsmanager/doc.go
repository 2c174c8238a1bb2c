// Package secretsmanager serves the AWS Secrets Manager API on one machine: every operation,
// in several accounts and Regions, over the same wire protocol (AWS JSON 1.1), so that the AWS
// CLI and the SDKs work against it unchanged. A rotation invokes a function's four steps
// through an [Invoker], exactly as the service does.
//
//	srv, err := secretsmanager.New(secretsmanager.Options{Invoker: functions})
//	...
//	go srv.Run(ctx)                 // schedules, planned deletions, replicas, rotations left by a crash
//	http.Serve(listener, srv)       // aws --endpoint-url http://…
//
// Whoever calls may do everything, unless [Options.Callers] says who they are: then resource
// policies bind them, and their signatures are checked if their keys are given. Without keys,
// bind the server to a loopback address.
//
// What it does not serve it refuses, with an error that says so: nothing that is missing
// answers with success. Not served are managed external secrets (Type, ExternalSecretRotation…),
// identity policies (an account allows its callers everything), encryption with KMS (keys are
// names here), condition operators on numbers and dates, and policy variables.
//
// Behaviour follows the API reference
// (https://docs.aws.amazon.com/secretsmanager/latest/apireference/Welcome.html); texts of
// errors are those that the service is recorded to give, wherever a recording is public.
//
// To measure it: go test -run '^$' -bench . ./local/secretsmanager. To load it for a minute
// and see that its memory stays flat: REKEY_LOAD=60s go test -v -run TestMemoryStaysFlat ./local/secretsmanager.
package secretsmanager
