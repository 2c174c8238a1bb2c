// Package securityhub is AWS Security Hub on one machine, as far as this project imports
// findings into it: BatchImportFindings, with the rules of ASFF that are checked on import.
//
// https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchImportFindings.html
package securityhub

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Finding is one in the AWS Security Finding Format, as far as it is kept.
type Finding = map[string]any

// Hub serves the API. Set its fields before it is served; it is safe for concurrent use.
type Hub struct {
	OnCall func(action string) // as for awsjson.Service
	// Fail, unless it is nil, tells which findings of a call are not imported.
	Fail func(Finding) bool
	// Fault, unless it is nil, decides the status that a call fails with; 0 for none.
	Fault func() int

	mu       sync.Mutex
	findings map[string]Finding // by Id
	imports  int
}

// Findings are those that are there, by Id: one that is imported again is updated.
func (h *Hub) Findings() map[string]Finding {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.findings)
}

// Imports counts the findings that were imported, updates too.
func (h *Hub) Imports() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.imports
}

// maxFindings is the most that one call takes.
const maxFindings = 100

// ServeHTTP serves one call.
func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.URL.Path != "/findings/import" {
		answer(w, http.StatusNotFound, "ResourceNotFoundException", map[string]any{"Message": "the stand-in knows BatchImportFindings only"})
		return
	}
	if h.OnCall != nil {
		h.OnCall("securityhub:BatchImportFindings")
	}
	if h.Fault != nil {
		if status := h.Fault(); status != 0 {
			answer(w, status, "InternalException", map[string]any{"Message": "because the test says so"})
			return
		}
	}
	var in struct{ Findings []Finding }
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 8<<20))
	if err == nil {
		err = json.Unmarshal(body, &in)
	}
	if err != nil || len(in.Findings) == 0 || len(in.Findings) > maxFindings {
		answer(w, http.StatusBadRequest, "InvalidInputException", map[string]any{"Message": fmt.Sprintf("%d findings: give 1 to %d", len(in.Findings), maxFindings)})
		return
	}
	answer(w, http.StatusOK, "", h.take(in.Findings))
}

func (h *Hub) take(findings []Finding) map[string]any {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.findings == nil {
		h.findings = map[string]Finding{}
	}
	failed := []map[string]any{}
	for _, f := range findings {
		id, _ := f["Id"].(string)
		wrong := check(f)
		if wrong == "" && h.Fail != nil && h.Fail(f) {
			wrong = "InternalFailure: because the test says so"
		}
		if wrong != "" {
			failed = append(failed, map[string]any{"Id": id, "ErrorCode": "InvalidInput", "ErrorMessage": wrong})
			continue
		}
		if newer(f, h.findings[id]) {
			h.findings[id] = f
			h.imports++
		}
	}
	return map[string]any{"SuccessCount": len(findings) - len(failed), "FailedCount": len(failed), "FailedFindings": failed}
}

// newer tells whether a finding updates the one that is there: if its UpdatedAt is not later,
// the request is ignored
// (https://docs.aws.amazon.com/securityhub/latest/userguide/finding-update-batchimportfindings.html).
func newer(f, old Finding) bool {
	if old == nil {
		return true
	}
	a, errA := time.Parse(time.RFC3339, text(f, "UpdatedAt"))
	b, errB := time.Parse(time.RFC3339, text(old, "UpdatedAt"))
	return errA == nil && errB == nil && a.After(b)
}

// required are the attributes that every finding has, and the length of some:
// https://docs.aws.amazon.com/securityhub/latest/userguide/asff-required-attributes.html
var required = map[string]int{
	"AwsAccountId": 12, "CreatedAt": 0, "Description": 1024, "GeneratorId": 512, "Id": 512, "ProductArn": 2048,
	"SchemaVersion": 16, "Title": 256, "UpdatedAt": 0,
}

var labels = []string{"INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL"}

func check(f Finding) string {
	for name, most := range required {
		if v := text(f, name); v == "" || most > 0 && len([]rune(v)) > most {
			return fmt.Sprintf("InvalidInput: %s is missing or too long", name)
		}
	}
	for _, name := range []string{"CreatedAt", "UpdatedAt"} {
		if _, err := time.Parse(time.RFC3339, text(f, name)); err != nil {
			return "InvalidInput: " + name
		}
	}
	severity, _ := f["Severity"].(map[string]any)
	kinds, _ := f["Types"].([]any)
	resources, _ := f["Resources"].([]any)
	switch {
	case text(f, "SchemaVersion") != "2018-10-08":
		return "InvalidInput: SchemaVersion"
	case !slices.Contains(labels, text(severity, "Label")):
		return "InvalidInput: Severity.Label"
	case len(kinds) == 0 || len(kinds) > 50:
		return "InvalidInput: Types"
	case len(resources) == 0 || len(resources) > 32:
		return "InvalidInput: Resources"
	}
	for _, one := range resources {
		resource, _ := one.(map[string]any)
		if text(resource, "Type") == "" || text(resource, "Id") == "" {
			return "InvalidInput: Resources"
		}
	}
	return ""
}

func text(f map[string]any, name string) string {
	s, _ := f[name].(string)
	return s
}

func answer(w http.ResponseWriter, status int, failure string, document any) {
	encoded, err := json.Marshal(document)
	if err != nil {
		panic(err) // the documents above always marshal
	}
	w.Header().Set("Content-Type", "application/json")
	if failure != "" {
		w.Header().Set("X-Amzn-Errortype", failure)
	}
	w.WriteHeader(status)
	_, _ = w.Write(encoded)
}
