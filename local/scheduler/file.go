package scheduler

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// kept is what the file holds.
type kept struct {
	Groups  map[string]*group
	Flights []*flight `json:",omitempty"`
}

// load reads the file, if there is one. It holds no secret: schedules name
// versions of secrets, and nothing of their values.
func (s *Server) load() error {
	if s.opt.File == "" {
		return nil
	}
	text, err := os.ReadFile(s.opt.File)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the schedules: %w", err)
	}
	var from kept
	if err := json.Unmarshal(text, &from); err != nil {
		return fmt.Errorf("reading the schedules in %s: %w: restore the file from a copy, or remove it to start anew", s.opt.File, err)
	}
	if from.Groups != nil {
		s.groups = from.Groups
	}
	s.flights = slices.DeleteFunc(from.Flights, func(f *flight) bool { return f == nil })
	for name, g := range s.groups {
		if g == nil || g.Name != name {
			return fmt.Errorf("reading the schedules in %s: the group %q is damaged: restore the file from a copy, or remove it to start anew", s.opt.File, name)
		}
		if g.Schedules == nil {
			g.Schedules = map[string]*schedule{}
		}
	}
	return nil
}

// save writes the file: all of it or none. The caller holds s.mu.
func (s *Server) save() error {
	if s.opt.File == "" {
		return nil
	}
	text, err := json.MarshalIndent(kept{s.groups, s.flights}, "", "  ")
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(s.opt.File), ".schedules-*") // mode 0600
	if err != nil {
		return fmt.Errorf("keeping the schedules: %w", err)
	}
	defer func() { _ = os.Remove(temp.Name()) }()
	_, err = temp.Write(append(text, '\n'))
	if err := errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return fmt.Errorf("keeping the schedules: %w", err)
	}
	return os.Rename(temp.Name(), s.opt.File)
}
