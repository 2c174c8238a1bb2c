package sink

import (
	"context"
	"log/slog"
	"time"

	"github.com/rekey-aws/rekey/shared/audit"
)

// Log writes a line for each finding, from which CloudWatch extracts metrics: no call is made.
// The namespace is rekey; Findings counts by detection and severity, and by severity.
//
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
type Log struct {
	To  *slog.Logger
	Now func() time.Time // the clock; time.Now if nil
}

// Name is as in [audit.Sink].
func (l *Log) Name() string { return "log" }

// levels of severities, from informational to critical.
var levels = [...]slog.Level{slog.LevelInfo, slog.LevelInfo, slog.LevelWarn, slog.LevelWarn, slog.LevelError}

// Deliver does not fail.
func (l *Log) Deliver(ctx context.Context, findings []audit.Finding) error {
	now := time.Now
	if l.Now != nil {
		now = l.Now
	}
	for _, f := range findings {
		attrs := []slog.Attr{
			slog.String("detection", f.Detection.ID),
			slog.String("severity", f.Detection.Severity.String()),
			slog.String("what", f.Sentence()),
			slog.String("key", f.Key),
			slog.String("incident", f.Incident),
			slog.String("event", f.Event.ID),
			slog.Int("Findings", f.Count),
		}
		if f.Secret.Name != "" {
			attrs = append(attrs, slog.String("secret", f.Secret.Key()))
		}
		if f.Unverified != "" {
			attrs = append(attrs, slog.String("note", f.Unverified))
		}
		attrs = append(attrs, Metric(now(), "Findings", []string{"detection", "severity"}, []string{"severity"}))
		l.To.LogAttrs(ctx, levels[f.Detection.Severity], "finding", attrs...)
	}
	return nil
}

// Metric is what makes a count of the log line's member of that name, by sets of other members,
// in CloudWatch's namespace rekey.
func Metric(now time.Time, name string, dimensions ...[]string) slog.Attr {
	type metric struct{ Name, Unit string }
	type set struct {
		Namespace  string
		Dimensions [][]string
		Metrics    []metric
	}
	return slog.Any("_aws", struct {
		Timestamp         int64 // Unix milliseconds
		CloudWatchMetrics []set
	}{now.UnixMilli(), []set{{"rekey", dimensions, []metric{{name, "Count"}}}}})
}
