// Package lambdaapi serves the functions of [lambda.Registry] under AWS Lambda's HTTP API, as
// far as operators call it: Invoke, GetFunctionConfiguration, and the resource policy that lets
// services invoke (GetPolicy, AddPermission, RemovePermission). What it does not know it
// refuses, parameters too.
//
// https://docs.aws.amazon.com/lambda/latest/api/API_Operations.html
//
// There is one code behind every version and alias, so that any qualifier is one that exists.
package lambdaapi
