package secretsmanager

import (
	"fmt"
	"net/http"
	"strings"
)

// apiError is an error in the API's own terms. Its message never holds a value of a secret.
type apiError struct {
	code    string
	status  int
	message string
}

func (e *apiError) Error() string { return e.code + ": " + e.message }

func apiErr(code, format string, args ...any) error {
	return &apiError{code: code, status: http.StatusBadRequest, message: fmt.Sprintf(format, args...)}
}

func invalidRequest(format string, args ...any) error {
	return apiErr("InvalidRequestException", format, args...)
}

func invalidParameter(format string, args ...any) error {
	return apiErr("InvalidParameterException", format, args...)
}

// violation is how the service reports a parameter outside the API's model. What was given
// is quoted only where it can be no secret.
func violation(given, member, constraint string) error {
	if given != "" {
		given += " "
	}
	return apiErr("ValidationException", "1 validation error detected: Value %sat '%s' failed to satisfy constraint: %s", given, lowerFirst(member), constraint)
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }

// unsupported is the answer to what this stand-in does not do, whether AWS does or not.
func unsupported(what string) error {
	return apiErr("UnsupportedOperationException", "The local Secrets Manager of rekey does not support %s; nothing was done.", what)
}

func malformed(format string, args ...any) error {
	return apiErr("SerializationException", format, args...)
}

func errNotFound() error {
	return apiErr("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
}

func errNoVersion(id string) error {
	return apiErr("ResourceNotFoundException", "Secrets Manager can't find the specified secret value for VersionId: %s", id)
}

func errNoStage(stage string) error {
	return apiErr("ResourceNotFoundException", "Secrets Manager can't find the specified secret value for staging label: %s", stage)
}

func errMarkedDeleted() error {
	return invalidRequest("You can't perform this operation on the secret because it was marked for deletion.")
}

func errTokenUsed(token, arn string) error {
	return apiErr("ResourceExistsException", "You can't use ClientRequestToken %s because that value is already in use for a version of secret %s.", token, arn)
}

func errTooManyStages() error {
	return apiErr("LimitExceededException", "A secret version can have no more than %d staging labels.", maxStages)
}

func errBadToken() error {
	return apiErr("InvalidNextTokenException", "The NextToken value is invalid.")
}
