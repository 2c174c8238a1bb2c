package rotation

import (
	"context"
	"log/slog"
	"time"
)

// metricsNamespace is where CloudWatch files the metrics.
const metricsNamespace = "rekey"

// report writes the step's one line. CloudWatch Logs extracts the metrics from
// it, so that no metrics call is made.
//
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
func (m *Machine) report(ctx context.Context, e Event, result outcome, err *StepError, n *notes, start time.Time) {
	if m.Log == nil {
		return
	}
	took := m.now().Sub(start)
	attrs := []slog.Attr{
		slog.String("function", m.Function),
		slog.String("step", clip(string(e.Step), 64)),
		slog.String("secret", clip(e.SecretID, maxIDLength)),
		slog.String("version", clip(e.Token, 64)),
		slog.String("outcome", string(result)),
	}
	if m.RequestID != nil {
		attrs = append(attrs, slog.String("request_id", m.RequestID(ctx)))
	}
	attrs = append(attrs, n.attrs...)
	level, failures, retireFailures := slog.LevelInfo, 0, 0
	if n.unplanned != nil {
		level, retireFailures = slog.LevelWarn, 1
		attrs = append(attrs, slog.String("retire_error", n.unplanned.Error()), slog.String("retire_hint", Hint(n.unplanned)))
	}
	if err != nil {
		level, failures = slog.LevelError, 1
		if result == waiting {
			level, failures = slog.LevelWarn, 0
		}
		if e.Step == RetireSecret {
			retireFailures = 1
		}
		attrs = append(attrs,
			slog.String("kind", KindName(err)),
			slog.String("error", err.Err.Error()),
			slog.String("hint", err.Hint))
	}
	attrs = append(attrs,
		slog.Float64("StepDuration", float64(took.Microseconds())/1000),
		slog.Int("StepFailures", failures))
	metrics := []metric{{"StepDuration", "Milliseconds"}, {"StepFailures", "Count"}}
	if n.retiring || e.Step == RetireSecret {
		attrs = append(attrs, slog.Int("RetireFailures", retireFailures))
		metrics = append(metrics, metric{"RetireFailures", "Count"})
	}
	attrs = append(attrs, slog.Any("_aws", stepMetrics(m.now(), metrics)))
	m.Log.LogAttrs(context.WithoutCancel(ctx), level, "rotation step", attrs...)
}

// reportDiagnosis writes a diagnosis's one line. It has no metrics: that something
// is wrong with a secret is no failure of the function that says so.
func (m *Machine) reportDiagnosis(ctx context.Context, d *Diagnosis, err *StepError, n *notes, start time.Time) {
	if m.Log == nil {
		return
	}
	attrs := []slog.Attr{
		slog.String("function", m.Function), slog.String("step", string(DoctorStep)),
		slog.String("secret", clip(d.Secret, maxIDLength)), slog.String("outcome", string(d.Worst())),
	}
	if m.RequestID != nil {
		attrs = append(attrs, slog.String("request_id", m.RequestID(ctx)))
	}
	for _, known := range []slog.Attr{slog.String("engine", d.Engine), slog.String("strategy", d.Strategy)} {
		if known.Value.String() != "" {
			attrs = append(attrs, known)
		}
	}
	attrs = append(attrs, n.attrs...)
	level := slog.LevelInfo
	if err != nil {
		level, attrs[3] = slog.LevelError, slog.String("outcome", string(failed))
		attrs = append(attrs, slog.String("kind", KindName(err)), slog.String("error", err.Err.Error()), slog.String("hint", err.Hint))
	}
	if wrong := d.failing(); len(wrong) > 0 {
		attrs = append(attrs, slog.Any("failing", wrong))
	}
	attrs = append(attrs, slog.Float64("DiagnosisDuration", float64(m.now().Sub(start).Microseconds())/1000))
	m.Log.LogAttrs(context.WithoutCancel(ctx), level, "diagnosis", attrs...)
}

// metricDirective is the metadata object of the embedded metric format.
type metricDirective struct {
	Timestamp         int64 // Unix milliseconds
	CloudWatchMetrics []metricSet
}

type metricSet struct {
	Namespace  string
	Dimensions [][]string
	Metrics    []metric
}

type metric struct {
	Name string
	Unit string
}

func stepMetrics(now time.Time, metrics []metric) metricDirective {
	return metricDirective{
		Timestamp: now.UnixMilli(),
		CloudWatchMetrics: []metricSet{{
			Namespace:  metricsNamespace,
			Dimensions: [][]string{{"function", "step"}},
			Metrics:    metrics,
		}},
	}
}
