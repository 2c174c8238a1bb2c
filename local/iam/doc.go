// Package iam is the part of AWS IAM and STS on one machine that rotates access
// keys: users, their keys (at most two), when a key was last used, and who a key
// belongs to. It speaks the Query protocol, so that the AWS CLI and the SDKs work
// against it, and verifies the signatures of users' keys: a wrong secret key is
// refused, a deleted or inactive one too.
//
// As in AWS, what changes takes a while to be known: see [Options.Lag]. It is
// strict: an action or a parameter that it does not know is refused.
//
// https://docs.aws.amazon.com/IAM/latest/APIReference/welcome.html
package iam
