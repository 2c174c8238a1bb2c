package scheduler

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
)

func (s *Server) createSchedule(in *input) (any, error) {
	if err := in.known(); err != nil {
		return nil, err
	}
	sch, err := s.read(in.path("Name"), in)
	if err != nil {
		return nil, err
	}
	g := s.groups[sch.GroupName]
	if g == nil {
		return nil, noGroup(sch.GroupName)
	}
	arn := map[string]string{"ScheduleArn": s.scheduleARN(sch)}
	if there := g.Schedules[sch.Name]; there != nil {
		if there.sameRequest(sch) {
			return arn, nil
		}
		return nil, apiErr("ConflictException", "Schedule %s already exists.", sch.Name)
	}
	sch.Created = s.opt.Now()
	sch.Modified = sch.Created
	g.Schedules[sch.Name] = sch
	return arn, nil
}

// sameRequest tells a call that was sent twice from another one.
func (s *schedule) sameRequest(o *schedule) bool {
	a, b := *s, *o
	b.Created, b.Modified, b.Over = a.Created, a.Modified, a.Over
	a.At, b.At = a.At.UTC(), b.At.UTC()
	return s.ClientToken != "" && reflect.DeepEqual(a, b)
}

func (s *Server) updateSchedule(in *input) (any, error) {
	if err := in.known(); err != nil {
		return nil, err
	}
	sch, err := s.read(in.path("Name"), in)
	if err != nil {
		return nil, err
	}
	g := s.groups[sch.GroupName]
	if g == nil || g.Schedules[sch.Name] == nil {
		return nil, noSchedule(sch.Name)
	}
	sch.Created, sch.Modified = g.Schedules[sch.Name].Created, s.opt.Now()
	g.Schedules[sch.Name] = sch
	return map[string]string{"ScheduleArn": s.scheduleARN(sch)}, nil
}

// find is the schedule that a call names.
func (s *Server) find(in *input) (*group, *schedule, error) {
	if err := in.known("groupName", "clientToken"); err != nil {
		return nil, nil, err
	}
	name := in.path("Name")
	g := s.groups[cmp.Or(in.query.Get("groupName"), defaultGroup)]
	if g == nil || g.Schedules[name] == nil {
		return nil, nil, noSchedule(name)
	}
	return g, g.Schedules[name], nil
}

// described is a schedule as GetSchedule tells it.
type described struct {
	Arn, Name, GroupName                           string
	Description                                    string `json:",omitempty"`
	ScheduleExpression, ScheduleExpressionTimezone string
	State, ActionAfterCompletion                   string
	FlexibleTimeWindow                             window
	Target                                         target
	CreationDate, LastModificationDate             epoch
}

func (s *Server) getSchedule(in *input) (any, error) {
	_, sch, err := s.find(in)
	if err != nil {
		return nil, err
	}
	return described{
		Arn: s.scheduleARN(sch), Name: sch.Name, GroupName: sch.GroupName, Description: sch.Description,
		ScheduleExpression: sch.ScheduleExpression, ScheduleExpressionTimezone: sch.ScheduleExpressionTimezone,
		State: sch.State, ActionAfterCompletion: sch.ActionAfterCompletion,
		FlexibleTimeWindow: sch.FlexibleTimeWindow, Target: sch.Target,
		CreationDate: epoch(sch.Created), LastModificationDate: epoch(sch.Modified),
	}, nil
}

func (s *Server) deleteSchedule(in *input) (any, error) {
	g, sch, err := s.find(in)
	if err != nil {
		return nil, err
	}
	delete(g.Schedules, sch.Name)
	return nil, nil
}

// summary is a schedule in a list.
type summary struct {
	Arn, Name, GroupName, State        string
	Target                             struct{ Arn string }
	CreationDate, LastModificationDate epoch
}

func (s *Server) listSchedules(in *input) (any, error) {
	if err := in.known("ScheduleGroup", "NamePrefix", "State", "MaxResults", "NextToken"); err != nil {
		return nil, err
	}
	only := in.query.Get("ScheduleGroup")
	if only != "" && s.groups[only] == nil {
		return nil, noGroup(only)
	}
	var all []summary
	for _, g := range sorted(s.groups) {
		for _, sch := range sorted(g.Schedules) {
			state := in.query.Get("State")
			if only != "" && g.Name != only || state != "" && state != sch.State || !strings.HasPrefix(sch.Name, in.query.Get("NamePrefix")) {
				continue
			}
			one := summary{
				Arn: s.scheduleARN(sch), Name: sch.Name, GroupName: g.Name, State: sch.State,
				CreationDate: epoch(sch.Created), LastModificationDate: epoch(sch.Modified),
			}
			one.Target.Arn = sch.Target.Arn
			all = append(all, one)
		}
	}
	slices.SortFunc(all, func(a, b summary) int { return cmp.Compare(a.Arn, b.Arn) })
	all, next, err := page(in, all, func(one summary) string { return one.Arn })
	return struct {
		Schedules []summary
		NextToken string `json:",omitempty"`
	}{append([]summary{}, all...), next}, err
}

func (s *Server) scheduleARN(sch *schedule) string {
	return s.arn("schedule/" + sch.GroupName + "/" + sch.Name)
}

func noSchedule(name string) error {
	return apiErr("ResourceNotFoundException", "Schedule %.64s does not exist.", name)
}

func noGroup(name string) error {
	return apiErr("ResourceNotFoundException", "Schedule group %.64s does not exist.", name)
}
