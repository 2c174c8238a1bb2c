// Package secretsmanager serves the AWS Secrets Manager API on one machine: secrets,
// versions, staging labels, deletion with recovery, and rotation with schedules, over the
// same wire protocol (AWS JSON 1.1), so that the AWS CLI and the SDKs work against it
// unchanged. A rotation invokes a function's four steps through an [Invoker], exactly as
// the service does.
//
//	srv, err := secretsmanager.New(secretsmanager.Options{Invoker: functions})
//	...
//	go srv.Run(ctx)                 // schedules, planned deletions, rotations left by a crash
//	http.Serve(listener, srv)       // aws --endpoint-url http://…
//
// What it does not serve it refuses, with an error that says so: nothing that is missing
// answers with success. Signatures are not checked: the stand-in is for one machine, bind
// it to a loopback address.
//
// Behaviour follows the API reference
// (https://docs.aws.amazon.com/secretsmanager/latest/apireference/Welcome.html); texts of
// errors are those that the service is recorded to give, wherever a recording is public.
package secretsmanager
