// Package rekey holds the constructs that a deployment of rekey consists of, and
// [Deploy], which composes them from a file.
//
// An app that exists already takes one of them without the file: [NewSecretsKey],
// [NewRotatedSecret], [NewRotationFunction], [NewNetwork], [NewAuditTrail], [NewForwarder],
// [NewAlarms], [NewFleet]. Each has a struct of properties whose zero values are safe, and
// gives back the ARNs that others need. They panic, as all constructs of the CDK do, when a
// property is missing or impossible: synthesis is where a person finds out.
//
// Two rules hold everywhere. The template never holds a secret's value, nor asks
// CloudFormation to generate one, because a later change of such a property makes a new
// value and locks everyone out. And what cannot be had back (secrets, keys, records) is kept
// when it leaves the template.
package rekey
