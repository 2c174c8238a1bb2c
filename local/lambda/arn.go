package lambda

import (
	"regexp"
	"strings"
)

// functionARN is a function's name in full:
// arn:partition:lambda:region:account:function:name[:version or alias]
type functionARN struct {
	partition, region, account, name, qualifier string
}

var qualifierName = regexp.MustCompile(`^(\$LATEST|[A-Za-z0-9_-]{1,128})$`)

// parseARN reads any of the forms in which Lambda's API takes a function's name: the name,
// account:function:name and the ARN, each with or without a qualifier. Parts that are not
// named are empty.
func parseARN(s string) (functionARN, bool) {
	parts := strings.Split(s, ":")
	var arn functionARN
	switch {
	case len(parts) >= 7 && parts[0] == "arn":
		if parts[2] != "lambda" || parts[5] != "function" {
			return functionARN{}, false
		}
		arn.partition, arn.region, arn.account = parts[1], parts[3], parts[4]
		parts = parts[6:]
	case len(parts) >= 3 && parts[1] == "function":
		arn.account, parts = parts[0], parts[2:]
	}
	arn.name, parts = parts[0], parts[1:]
	if len(parts) == 1 {
		arn.qualifier, parts = parts[0], nil
		if !qualifierName.MatchString(arn.qualifier) {
			return functionARN{}, false
		}
	}
	return arn, len(parts) == 0 && functionName.MatchString(arn.name)
}

func (a functionARN) String() string {
	s := "arn:" + a.partition + ":lambda:" + a.region + ":" + a.account + ":function:" + a.name
	if a.qualifier != "" {
		s += ":" + a.qualifier
	}
	return s
}

// partitionOf returns the partition of a Region:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
func partitionOf(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}
