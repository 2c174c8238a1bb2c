package secretsmanager

import "errors"

type batchInput struct {
	SecretIdList []string
	Filters      []filter
	MaxResults   *int64
	NextToken    *string
}

type batchOutput struct {
	SecretValues []*getSecretValueOutput
	NextToken    string `json:",omitempty"`
	Errors       []batchError
}

type batchError struct {
	SecretId  string
	ErrorCode string
	Message   string
}

// batchGetSecretValue reads the current values of up to 20 secrets. A secret that cannot be
// read is an error in the reply, not of the call:
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_BatchGetSecretValue.html.
// The texts are recorded in moto's models.py.
func (s *Server) batchGetSecretValue(c *caller, in *batchInput) (*batchOutput, error) {
	if err := first(number("MaxResults", in.MaxResults, 1, 20), length("NextToken", in.NextToken, 1, 4096), checkFilters(in.Filters)); err != nil {
		return nil, err
	}
	switch {
	case (in.SecretIdList == nil) == (in.Filters == nil):
		return nil, invalidParameter("Either 'SecretIdList' or 'Filters' must be provided, but not both.")
	case in.Filters == nil && in.MaxResults != nil:
		return nil, invalidParameter("'Filters' not specified. 'Filters' must also be specified when 'MaxResults' is provided.")
	case in.Filters == nil && in.NextToken != nil:
		return nil, invalidParameter("'Filters' not specified. 'Filters' must also be specified when 'NextToken' is provided.")
	case len(in.SecretIdList) > 20:
		return nil, violation("", "SecretIdList", "Member must have length less than or equal to 20")
	}
	ids := in.SecretIdList
	out := &batchOutput{SecretValues: []*getSecretValueOutput{}, Errors: []batchError{}}
	if in.Filters != nil {
		found, next, err := s.page(c.place, query{by: "created-date", filters: in.Filters}, pageSize(in.MaxResults, 20), in.NextToken)
		if err != nil {
			return nil, err
		}
		out.NextToken = next
		for _, sec := range found {
			ids = append(ids, sec.ARN)
		}
	} else if err := atLeastOne("SecretIdList", ids); err != nil {
		return nil, err
	}
	return out, s.readEach(c, ids, out)
}

// readEach needs for each secret the permission to read it, beside the one to call.
func (s *Server) readEach(c *caller, ids []string, out *batchOutput) error {
	for i := range ids {
		each := *c
		each.operation = "GetSecretValue"
		id, err := secretID(&ids[i])
		if err != nil {
			return err
		}
		v, err := s.reveal(&each, id, nil, nil)
		var refusal *apiError
		switch {
		case errors.As(err, &refusal):
			out.Errors = append(out.Errors, batchError{SecretId: id, ErrorCode: refusal.code, Message: refusal.message})
		case err != nil:
			return err
		default:
			out.SecretValues = append(out.SecretValues, v)
			c.batch = append(c.batch, v.ARN)
		}
	}
	return nil
}
