package lambda

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// Registry finds functions by name or ARN, as Lambda's Invoke does. Aliases and versions
// are accepted and mean the one code there is. The zero value is empty and ready; its
// methods may be called from several goroutines.
type Registry struct {
	mu        sync.RWMutex
	functions []*Function
}

// Add makes a function known. A second one with the same ARN is an error.
func (r *Registry) Add(f *Function) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, other := range r.functions {
		if other.ARN() == f.ARN() {
			return fmt.Errorf("adding function %s: there is one already: give it another name, account or Region", f.ARN())
		}
	}
	r.functions = append(r.functions, f)
	slices.SortFunc(r.functions, func(a, b *Function) int { return cmp.Compare(a.ARN(), b.ARN()) })
	return nil
}

// Functions returns all functions, sorted by ARN.
func (r *Registry) Functions() []*Function {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Clone(r.functions)
}

// Has reports whether Invoke would find the function.
func (r *Registry) Has(function string) bool {
	_, _, err := r.Find(function)
	return err == nil
}

// Invoke runs the function that is named by name, partial ARN or ARN, with or without a
// qualifier: see Function.Invoke. One that is not there, also because its Region or account
// is another, is a *ServiceError with code ResourceNotFoundException. A bare name that
// stands for functions in several Regions or accounts is refused.
func (r *Registry) Invoke(ctx context.Context, function string, payload []byte) ([]byte, error) {
	answer, _, err := r.InvokeReport(ctx, function, payload)
	return answer, err
}

// InvokeReport is Invoke that also returns the report: see Function.InvokeReport.
func (r *Registry) InvokeReport(ctx context.Context, function string, payload []byte) ([]byte, Report, error) {
	f, arn, err := r.Find(function)
	if err != nil {
		return nil, Report{}, err
	}
	return f.invoke(ctx, arn, payload)
}

// Find returns the function and the ARN, with the qualifier, under which Invoke runs it. Its
// errors are Invoke's.
func (r *Registry) Find(function string) (*Function, string, error) {
	want, ok := parseARN(function)
	if !ok {
		return nil, "", &ServiceError{
			Code:    "InvalidParameterValueException",
			Message: fmt.Sprintf("%q is neither a function's name nor its ARN", function),
		}
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	var found []*Function
	for _, f := range r.functions {
		have, _ := parseARN(f.ARN())
		if want.name == have.name && matches(want.partition, have.partition) &&
			matches(want.region, have.region) && matches(want.account, have.account) {
			found = append(found, f)
		}
	}
	switch len(found) {
	case 0:
		return nil, "", &ServiceError{Code: "ResourceNotFoundException", Message: "Function not found: " + function}
	case 1:
		arn := found[0].ARN()
		if want.qualifier != "" {
			arn += ":" + want.qualifier
		}
		return found[0], arn, nil
	}
	return nil, "", &ServiceError{
		Code:    "InvalidParameterValueException",
		Message: fmt.Sprintf("%s stands for %d functions: use the ARN", function, len(found)),
	}
}

func matches(want, have string) bool { return want == "" || want == have }

// Close closes every function and forgets them.
func (r *Registry) Close() error {
	r.mu.Lock()
	functions := r.functions
	r.functions = nil
	r.mu.Unlock()
	var errs []error
	for _, f := range functions {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}
