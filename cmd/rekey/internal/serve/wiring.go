package serve

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/onemachine"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/usage"
)

// events are nil if nobody asked for them.
func (s *service) events(functions []onemachine.Function) (*onemachine.Events, error) {
	c := s.command
	if !c.Events && len(c.Rule) == 0 && c.Alerts == "" {
		return nil, nil
	}
	rules, err := c.rules()
	if err != nil {
		return nil, err
	}
	for i, r := range rules {
		for n, t := range r.Targets {
			if !c.serves(functions, t.Function) {
				return nil, usage.Errorf("--rule: %s: Targets[%d].Arn: there is no function %q here: give one of %s", c.Rule[i], n, t.Function, names(functions))
			}
		}
	}
	if c.Alerts != "" {
		rules = append(rules, catalogueRules()...)
	}
	e := &onemachine.Events{Rules: rules, Queue: alertsQueue, OnDeadLetter: s.journal.deadLetter, OnError: s.journal.lost}
	if c.Events {
		e.OnEvent = s.journal.event
	}
	if len(rules) > 0 {
		s.lettersFolder, err = s.folder()
		e.DeadLetters = s.lettersFolder
	}
	return e, err
}

// serves tells whether a target is a function here, by its name or its ARN.
func (c *Command) serves(functions []onemachine.Function, target string) bool {
	for _, f := range functions {
		arn := ":lambda:" + c.Region + ":" + onemachine.Account + ":function:" + f.Name
		if target == f.Name || strings.HasPrefix(target, "arn:aws") && strings.HasSuffix(target, arn) {
			return true
		}
	}
	return false
}

// folder is where dead letters go.
func (s *service) folder() (string, error) {
	switch {
	case s.command.DeadLetters != "":
		return s.command.DeadLetters, nil
	case s.command.State != "":
		return filepath.Join(s.command.State, "dead-letters"), nil
	}
	dir, err := os.MkdirTemp("", "rekey-dead-letters-")
	if err != nil {
		return "", fmt.Errorf("making a folder for dead letters: %w", err)
	}
	s.lettersAreTemp = true
	return dir, nil
}
