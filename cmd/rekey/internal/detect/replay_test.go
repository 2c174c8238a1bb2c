package detect

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/usage"
	"github.com/rekey-aws/rekey/shared/audit"
	"github.com/rekey-aws/rekey/shared/audit/fixture"
)

// records are what the cases of a detection happened to record.
func records(t testing.TB, detection string, found bool) []string {
	t.Helper()
	var all []string
	for _, c := range fixture.Cases() {
		if c.Detection != detection || c.Found != found || len(all) > 0 {
			continue
		}
		for _, payload := range c.Events {
			var e struct{ Detail json.RawMessage }
			if err := json.Unmarshal(payload, &e); err != nil {
				t.Fatal(err)
			}
			all = append(all, string(e.Detail))
		}
	}
	return all
}

func logOf(records ...string) []byte {
	return []byte(`{"Records":[` + strings.Join(records, ",") + `]}`)
}

func packed(content []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(content)
	w.Close()
	return b.Bytes()
}

func write(t testing.TB, content []byte, path ...string) string {
	t.Helper()
	file := filepath.Join(path...)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// settings are the cases' own, as a file.
func settings(t testing.TB) string {
	t.Helper()
	text, err := json.Marshal(fixture.Config())
	if err != nil {
		t.Fatal(err)
	}
	return write(t, text, t.TempDir(), "audit.json")
}

// replayed runs the command.
func replayed(t testing.TB, r Replay) (string, error) {
	t.Helper()
	if r.Severity == "" {
		r.Severity = "low"
	}
	if err := r.Validate(); err != nil {
		return "", err
	}
	var out bytes.Buffer
	err := r.Run(t.Context(), &out, terminal.Plain(&out))
	return out.String(), err
}

// found are the detections of what --json printed, and the summary.
func found(t *testing.T, out string) ([]string, map[string]any) {
	t.Helper()
	var ids []string
	var summary map[string]any
	for line := range strings.Lines(out) {
		var v struct {
			Detection *struct{ ID string }
			Summary   map[string]any
		}
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if v.Detection != nil {
			ids = append(ids, v.Detection.ID)
		} else {
			summary = v.Summary
		}
	}
	return ids, summary
}

func TestForms(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	deleted := records(t, "forced-delete", true)
	for name, path := range map[string]string{
		"plain":                   write(t, logOf(deleted...), dir, "plain.json"),
		"packed":                  write(t, packed(logOf(deleted...)), dir, "packed.json.gz"),
		"packed, by another name": write(t, packed(logOf(deleted...)), dir, "packed"),
		"lines":                   write(t, []byte(strings.Join(deleted, "\n")), dir, "lines.jsonl"),
	} {
		out, err := replayed(t, Replay{Paths: []string{path}, JSON: true})
		ids, summary := found(t, out)
		if diff := cmp.Diff([]string{"forced-delete"}, ids); diff != "" || err != nil || summary["events"] != 1.0 || summary["files"] != 1.0 {
			t.Errorf("%s: %v, %v: %s", name, err, summary, diff)
		}
	}
	out, err := replayed(t, Replay{Paths: []string{filepath.Join(dir, "plain.json")}})
	if err != nil || !strings.Contains(out, "2026-07-15 15:20:30Z  critical  forced-delete") || !strings.Contains(out, "user alice, 203.0.113.7, 123456789012 us-east-1") ||
		!strings.Contains(out, "docs/playbooks/forced-delete.md") || !strings.Contains(out, "1 finding in 1 event of 1 file") {
		t.Errorf("%v:\n%s", err, out)
	}
	out, err = replayed(t, Replay{Paths: []string{filepath.Join(dir, "plain.json")}, OCSF: true})
	var o struct {
		ClassUID int `json:"class_uid"`
	}
	if json.Unmarshal([]byte(out), &o) != nil || o.ClassUID != 2004 || err != nil {
		t.Errorf("OCSF: %v:\n%s", err, out)
	}
}

// A copy of a trail's bucket: batch reads in five Regions, each in the folder of its own, are
// found together; digests and other files are left out; the same file twice is no second
// finding.
func TestBucket(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for i, rec := range records(t, "batch-across-regions", true) {
		region := fmt.Sprintf("eu-west-%d", i+1)
		dir := filepath.Join(root, "AWSLogs", "o-a1b2c3d4e5", "123456789012", "CloudTrail", region, "2026", "07", "15")
		name := "123456789012_CloudTrail_" + region + "_20260715T15%02dZ_abcdefgh.json.gz"
		write(t, packed(logOf(rec)), dir, fmt.Sprintf(name, 20+i))
		write(t, packed(logOf(rec)), dir, fmt.Sprintf(name, 40+i))
		write(t, []byte(`{"awsAccountId":"123456789012","digestS3Bucket":"b"}`), root, "AWSLogs", "123456789012", "CloudTrail-Digest", region, "2026", "07", "15", "digest.json.gz")
	}
	write(t, []byte("read me"), root, "README.md")
	write(t, packed(logOf(records(t, "public-policy", true)...)), root, "AWSLogs", "123456789012", "CloudTrail", "us-east-1", "2026", "07", "20", "later.json.gz")
	out, err := replayed(t, Replay{Paths: []string{root}, JSON: true, Until: "2026-07-16"})
	ids, summary := found(t, out)
	if diff := cmp.Diff([]string{"batch-across-regions", "batch-read"}, ids); diff != "" && cmp.Diff([]string{"batch-read", "batch-across-regions"}, ids) != "" || err != nil {
		t.Errorf("%v: %s", err, diff)
	}
	if summary["files"] != 10.0 || summary["digests"] != 1.0 {
		t.Errorf("the summary is %v", summary)
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	var all []string
	for _, id := range []string{"forced-delete", "value-put", "rotation-failed", "denied-reads", "pending-read"} {
		all = append(all, records(t, id, true)...)
	}
	for i, rec := range all { // events of one id are one
		all[i] = strings.Replace(rec, "-00000000000a", fmt.Sprintf("-%012d", 100+i), 1)
	}
	file := write(t, logOf(all...), t.TempDir(), "log.json")
	for name, test := range map[string]struct {
		Replay
		want []string
	}{
		"all":        {Replay{}, []string{"forced-delete", "value-put", "rotation-failed", "denied-reads", "pending-read"}},
		"high":       {Replay{Severity: "High"}, []string{"forced-delete", "rotation-failed", "pending-read"}},
		"one":        {Replay{Detection: []string{"value-put"}}, []string{"value-put"}},
		"since":      {Replay{Since: "2026-07-15T15:21:00Z"}, []string{"denied-reads"}},
		"until":      {Replay{Until: "2026-07-15T15:21:00Z"}, []string{"forced-delete", "value-put", "rotation-failed", "pending-read"}},
		"other days": {Replay{Since: "2026-07-16"}, nil},
	} {
		test.Paths, test.JSON, test.Config = []string{file}, true, settings(t)
		out, err := replayed(t, test.Replay)
		ids, _ := found(t, out)
		if diff := cmp.Diff(test.want, ids); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
	out, err := replayed(t, Replay{Paths: []string{file}, Fail: true, Detection: []string{"value-put"}})
	if coded := (*FoundError)(nil); !errors.As(err, &coded) || coded.ExitCode() != 3 || !strings.Contains(out, "1 finding in") {
		t.Errorf("--fail: %v:\n%s", err, out)
	}
}

// What the framework does, by the roles that the configuration names, raises nothing.
func TestConfig(t *testing.T) {
	t.Parallel()
	var ordinary []string
	for _, id := range []string{"pending-read", "label-moved", "value-put"} {
		ordinary = append(ordinary, records(t, id, false)...)
	}
	file := write(t, logOf(ordinary...), t.TempDir(), "log.json")
	out, err := replayed(t, Replay{Paths: []string{file}, Config: settings(t), JSON: true})
	if ids, _ := found(t, out); len(ids) != 0 || err != nil {
		t.Errorf("found %v, %v", ids, err)
	}
	text, _ := json.Marshal(map[string]audit.Config{"detect": fixture.Config()})
	out, err = replayed(t, Replay{Paths: []string{file}, Config: write(t, text, t.TempDir(), "forwarder.json"), JSON: true})
	if ids, _ := found(t, out); len(ids) != 0 || err != nil {
		t.Errorf("with the forwarder's settings: found %v, %v", ids, err)
	}
	if out, _ = replayed(t, Replay{Paths: []string{file}, JSON: true}); !strings.Contains(out, "pending-read") {
		t.Errorf("without it: %s", out)
	}
}

func TestDamaged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	whole := logOf(records(t, "forced-delete", true)...)
	write(t, packed(whole)[:100], dir, "a.json.gz")
	write(t, whole[:len(whole)-30], dir, "b.json")
	write(t, []byte("not a log"), dir, "c.json")
	write(t, whole, dir, "d.json")
	out, err := replayed(t, Replay{Paths: []string{dir, filepath.Join(dir, "none.json")}})
	if err == nil || !strings.Contains(err.Error(), "4 of 5 files could not be read to the end") {
		t.Errorf("the error is %v", err)
	}
	for _, text := range []string{"a.json.gz: the packed file ends too early", "b.json: it is no log file of CloudTrail, or damaged", "c.json: it is no log", "none.json: no such file", "1 finding"} {
		if !strings.Contains(out, text) {
			t.Errorf("%q is not in\n%s", text, out)
		}
	}
	if _, err := replayed(t, Replay{Paths: []string{t.TempDir()}}); err == nil || !strings.Contains(err.Error(), "no log file") {
		t.Errorf("an empty folder: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := Replay{Paths: []string{dir}, Severity: "low"}
	if err := errors.Join(r.Validate(), r.Run(ctx, &bytes.Buffer{}, terminal.Plain(&bytes.Buffer{}))); err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("after Ctrl-C: %v", err)
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for says, r := range map[string]Replay{
		"--severity":                {Severity: "loud"},
		"--json and --ocsf":         {JSON: true, OCSF: true},
		`"none" is none`:            {Detection: []string{"none"}},
		"--since":                   {Since: "yesterday"},
		"--until":                   {Until: "15.7.2026"},
		"is not before":             {Since: "2026-07-15", Until: "2026-07-15"},
		"no such file":              {Config: "none.json"},
		`unknown field "roles"`:     {Config: write(t, []byte(`{"roles":[]}`), t.TempDir(), "c.json")},
		"rotationRoles[0]":          {Config: write(t, []byte(`{"rotationRoles":["*"]}`), t.TempDir(), "c.json")},
		"thresholds.massRead.count": {Config: write(t, []byte(`{"thresholds":{"massRead":{"count":-1}}}`), t.TempDir(), "c.json")},
	} {
		r.Paths = []string{t.TempDir()}
		_, err := replayed(t, r)
		if wrong := (*usage.Error)(nil); !errors.As(err, &wrong) || wrong.ExitCode() != 2 || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", says, err)
		}
	}
}

func TestTest(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := (Test{}).Run(t.Context(), &out, terminal.Plain(&out)); err != nil || !strings.Contains(out.String(), "ok   mass-read") {
		t.Errorf("%v:\n%s", err, out.String())
	}
	out.Reset()
	var all []tested
	if err := (Test{JSON: true}).Run(t.Context(), &out, terminal.Plain(&out)); err != nil || json.Unmarshal(out.Bytes(), &all) != nil || len(all) != len(audit.Catalogue()) {
		t.Errorf("%v:\n%s", err, out.String())
	}
}

// BenchmarkFolder is a folder of packed log files, read ahead on another core.
func BenchmarkFolder(b *testing.B) {
	root := b.TempDir()
	var recs []string
	for i := range 20_000 {
		recs = append(recs, strings.NewReplacer("-00000000000a", fmt.Sprintf("-%012x", uint64(i)*0x9e3779b97f4a7c15>>20), "prod/db", fmt.Sprint("prod/", i%50)).Replace(records(b, "value-put", false)[0]))
	}
	plain := logOf(recs...)
	for i := range 20 {
		write(b, packed(plain), root, fmt.Sprintf("%d.json.gz", i))
	}
	b.SetBytes(int64(20 * len(plain)))
	begin := time.Now()
	for b.Loop() {
		if out, err := replayed(b, Replay{Paths: []string{root}, Config: settings(b), JSON: true}); err != nil {
			b.Fatal(err, out)
		}
	}
	b.ReportMetric(float64(b.N*20*len(recs))/time.Since(begin).Seconds(), "events/s")
}
