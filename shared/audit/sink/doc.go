// Package sink takes findings to where someone acts on them: SNS, Slack, Microsoft Teams,
// PagerDuty, a webhook of one's own, Security Hub, Firehose, and the log with its metrics.
//
// Every sink is an [audit.Sink]: it returns nil when the other side has accepted, tries again
// what may succeed a moment later, waits as long as it is asked to, and gives up shortly
// before the context's deadline. Errors wrap a sentinel of package rotation and name the sink's
// host, never an address or a key, nor what the other side answered.
//
//go:generate go run ./generate
package sink
