package cost_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/rekey-aws/rekey/infra/config/cost"
)

// What is counted for the price is what the templates have.
func TestPriceIsOfTheTemplates(t *testing.T) {
	t.Parallel()
	folders, err := filepath.Glob("../../rekey/testdata/golden/*")
	if err != nil || len(folders) < 3 {
		t.Fatalf("%v, %v", folders, err)
	}
	for _, folder := range folders {
		has := counted(t, folder)
		e := cost.Of(example(t, filepath.Base(folder)+".yaml"), cost.Usage{})
		for item, want := range map[string]float64{
			cost.Secrets:   has["AWS::SecretsManager::RotationSchedule"],
			cost.Replicas:  has["replicas"],
			cost.Keys:      has["AWS::KMS::Key"] + has["AWS::KMS::ReplicaKey"],
			cost.Endpoints: has["zones of endpoints"] * 730,
			cost.Alarms:    has["metrics of alarms"],
			cost.Dashboard: has["AWS::CloudWatch::Dashboard"],
			cost.Events:    has["AWS::Logs::MetricFilter"] * 730,
		} {
			if got := e.Find(item).Quantity; math.Abs(got-want) > 1e-9 {
				t.Errorf("%s: %v %s are priced, and %v in the templates", folder, got, item, want)
			}
		}
	}
}

func counted(t *testing.T, folder string) map[string]float64 {
	t.Helper()
	has := map[string]float64{}
	files, err := filepath.Glob(filepath.Join(folder, "*.template.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var template struct {
			Resources map[string]struct {
				Type       string
				Properties json.RawMessage
			}
		}
		if err := json.Unmarshal(text, &template); err != nil {
			t.Fatal(err)
		}
		for _, r := range template.Resources {
			has[r.Type]++
			var p struct {
				Metrics                   []struct{ MetricStat any }
				ReplicaRegions, SubnetIds []any
			}
			read := func() {
				if err := json.Unmarshal(r.Properties, &p); err != nil {
					t.Fatal(err)
				}
			}
			switch r.Type {
			case "AWS::SecretsManager::Secret":
				read()
				has["replicas"] += float64(len(p.ReplicaRegions))
			case "AWS::EC2::VPCEndpoint":
				read()
				has["zones of endpoints"] += float64(len(p.SubnetIds))
			case "AWS::CloudWatch::Alarm":
				read()
				has["metrics of alarms"] += max(1, stats(p.Metrics))
			}
		}
	}
	return has
}

// stats are the metrics of an alarm, without its expression.
func stats(metrics []struct{ MetricStat any }) (n float64) {
	for _, m := range metrics {
		if m.MetricStat != nil {
			n++
		}
	}
	return n
}
