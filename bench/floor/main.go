// Command floor is the smallest function on aws-lambda-go: what every Go function pays. The
// bench measures beside it.
package main

import "github.com/aws/aws-lambda-go/lambda"

func main() { lambda.Start(func() error { return nil }) }
