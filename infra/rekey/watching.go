package rekey

import (
	"strconv"
	"strings"

	"github.com/rekey-aws/rekey/infra/config"
)

// watch makes the topic of alarms, the fleet, the alarms, and the dashboard.
func (p *primary) watch() {
	var emails, topics []string
	for _, d := range sorted(p.Alerts.Destinations) {
		switch {
		case d.Email != nil:
			emails = append(emails, addresses(d.Email)...)
		case d.SNS != nil:
			topics = append(topics, string(d.SNS.Topic))
		}
	}
	p.alarms = NewTopic(p.stack, "Alarms", p.prefix+"-alarms", "rekey alarms: "+p.prefix, p.recordsKey, []string{"cloudwatch.amazonaws.com"}, emails...)

	functions, aliases := []*Function{}, []string{}
	for _, f := range sorted(p.functions) {
		functions, aliases = append(functions, f.Function), append(aliases, f.AliasARN)
	}
	props := AlarmsProps{
		Name: p.prefix, Topics: append([]string{p.alarms}, topics...), Functions: functions, Forwarder: p.forwarder,
		Timeouts: map[string]int{config.AuditForwarder: int(p.Functions.AuditForwarder.Timeout.Time().Seconds())},
	}
	for _, f := range functions {
		props.Timeouts[f.Name] = int(p.settings(f.Name).Timeout.Time().Seconds())
	}
	if p.Fleet.Enabled && len(functions) > 0 {
		p.fleet = NewFleet(p.stack, "Fleet", FleetProps{
			Name: p.prefix + "-fleet", RecordsKeyARN: p.recordsKey, LogRetention: p.Functions.LogRetention, Functions: aliases,
			Topic: p.alarms, Rate: p.Fleet.Rate, ErrorBudget: p.Fleet.ErrorBudget, Delete: p.deletesRecords(),
		})
		props.Fleet = p.fleet.ARN
	}
	NewAlarms(p.stack, "Watch", props)
	if p.Audit.Dashboard {
		NewDashboard(p.stack, "Dashboard", DashboardProps{
			Name: p.prefix, Functions: functions, Forwarder: p.forwarder, Secrets: len(p.secrets),
			Reads: p.Audit.Trail.Existing == nil || p.Audit.Trail.Existing.LogGroup != "",
		})
	}
	if p.Compliance.ConfigRules {
		NewConfigRules(p.stack, "ConfigRules", p.prefix, p.secretsKey, strconv.Itoa(p.longest()))
	}
}

// longest is the most days between two rotations of a secret, and a few more for the window.
func (p *primary) longest() int {
	days := 1
	for _, s := range p.secrets {
		every := int(s.Schedule.Every.Time().Hours() / 24)
		if s.Schedule.Cron != "" {
			every = 31
		}
		days = max(days, every)
	}
	return days + 2
}

// outputs are what other stacks can import.
func (p *primary) outputs() {
	// A template has 200 outputs at most.
	if len(p.made) <= 150 {
		for path, secret := range sorted(p.made) {
			output(secret.Construct, "Arn", secret.ARN, secret.Name, p.prefix+":"+strings.ReplaceAll(path, ".", ":"))
		}
	}
	for name, f := range sorted(p.functions) {
		output(p.stack, "Function"+identifier(name), f.AliasARN, "Rotation function of further secrets", p.prefix+":"+name)
	}
	output(p.stack, "AlarmsTopic", p.alarms, "Alarms are told here", p.prefix+":alarms")
	if p.fleet != nil {
		output(p.stack, "FleetStateMachine", p.fleet.ARN, "Rotates every secret with a tag", p.prefix+":fleet")
	}
	if p.options.MonthlyCost != "" {
		output(p.stack, "MonthlyCost", p.options.MonthlyCost, "Estimated, see rekey cost", "")
	}
}
