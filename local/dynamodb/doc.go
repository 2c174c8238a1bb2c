// Package dynamodb is the part of Amazon DynamoDB on one machine that the functions of this
// project use: GetItem, PutItem and Query on tables with a partition and a sort key, both
// strings, with conditions.
//
// It is strict. What it does not know (an operation, a member, a function in an expression, a
// type of attribute other than S, N, BOOL and SS, a number that is not an int64) it refuses,
// and says so; so does DynamoDB's own validation of names and values that an expression does
// not use. Reads are always consistent. What has expired by a time to live stays, as it may
// for days on AWS
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html).
//
// Expressions: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.html
package dynamodb
