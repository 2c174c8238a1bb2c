package scheduler

import (
	"maps"
	"slices"
	"strings"
)

func (s *Server) createGroup(in *input) (any, error) {
	var r struct {
		ClientToken string
		Tags        []tag
	}
	if err := in.decode(&r); err != nil {
		return nil, err
	}
	name := in.path("Name")
	switch {
	case !nameForm.MatchString(name):
		return nil, invalid("Name must be 1 to 64 letters, digits, hyphens, underscores and full stops.")
	case s.groups[name] != nil:
		return nil, apiErr("ConflictException", "Schedule group %s already exists.", name)
	}
	g := &group{Name: name, Created: s.opt.Now(), Tags: map[string]string{}, Schedules: map[string]*schedule{}}
	if err := g.tag(r.Tags); err != nil {
		return nil, err
	}
	s.groups[name] = g
	return map[string]string{"ScheduleGroupArn": s.groupARN(g)}, nil
}

// describedGroup is a group as the API tells it.
type describedGroup struct {
	Arn, Name, State                   string
	CreationDate, LastModificationDate epoch
}

func (s *Server) describe(g *group) describedGroup {
	return describedGroup{s.groupARN(g), g.Name, "ACTIVE", epoch(g.Created), epoch(g.Created)}
}

func (s *Server) getGroup(in *input) (any, error) {
	g := s.groups[in.path("Name")]
	if g == nil {
		return nil, noGroup(in.path("Name"))
	}
	return s.describe(g), nil
}

// deleteGroup deletes the group's schedules too, as AWS does.
func (s *Server) deleteGroup(in *input) (any, error) {
	name := in.path("Name")
	switch {
	case name == defaultGroup:
		return nil, invalid("The default schedule group cannot be deleted.")
	case s.groups[name] == nil:
		return nil, noGroup(name)
	}
	delete(s.groups, name)
	return nil, nil
}

func (s *Server) listGroups(in *input) (any, error) {
	if err := in.known("NamePrefix", "MaxResults", "NextToken"); err != nil {
		return nil, err
	}
	all := []describedGroup{}
	for _, g := range sorted(s.groups) {
		if strings.HasPrefix(g.Name, in.query.Get("NamePrefix")) {
			all = append(all, s.describe(g))
		}
	}
	all, next, err := page(in, all, func(g describedGroup) string { return g.Name })
	return struct {
		ScheduleGroups []describedGroup
		NextToken      string `json:",omitempty"`
	}{all, next}, err
}

type tag struct{ Key, Value string }

func (g *group) tag(tags []tag) error {
	next := maps.Clone(g.Tags)
	if next == nil {
		next = map[string]string{}
	}
	for _, t := range tags {
		if t.Key == "" || len(t.Key) > 128 || len(t.Value) > 256 || strings.HasPrefix(t.Key, "aws:") {
			return invalid("The tag %.128q is none that can be set.", t.Key)
		}
		next[t.Key] = t.Value
	}
	if len(next) > 200 {
		return invalid("A schedule group may have 200 tags.")
	}
	g.Tags = next
	return nil
}

// tagged is the group that an ARN names. Schedules have no tags.
func (s *Server) tagged(in *input) (*group, error) {
	arn := in.path("ResourceArn")
	for _, g := range s.groups {
		if s.groupARN(g) == arn {
			return g, nil
		}
	}
	return nil, apiErr("ResourceNotFoundException", "There is no schedule group %.256s.", arn)
}

func (s *Server) listTags(in *input) (any, error) {
	g, err := s.tagged(in)
	if err != nil {
		return nil, err
	}
	tags := []tag{}
	for _, key := range slices.Sorted(maps.Keys(g.Tags)) {
		tags = append(tags, tag{key, g.Tags[key]})
	}
	return map[string][]tag{"Tags": tags}, nil
}

func (s *Server) tag(in *input) (any, error) {
	g, err := s.tagged(in)
	if err != nil {
		return nil, err
	}
	var r struct{ Tags []tag }
	if err := in.decode(&r); err != nil {
		return nil, err
	}
	return nil, g.tag(r.Tags)
}

func (s *Server) untag(in *input) (any, error) {
	g, err := s.tagged(in)
	if err != nil {
		return nil, err
	}
	if err := in.known("TagKeys"); err != nil {
		return nil, err
	}
	for _, key := range in.query["TagKeys"] {
		delete(g.Tags, key)
	}
	return nil, nil
}

func (s *Server) groupARN(g *group) string { return s.arn("schedule-group/" + g.Name) }
