package detect

import (
	"path/filepath"
	"strings"
	"testing"
)

// What one replay counts, the next with the same state goes on with.
func TestState(t *testing.T) {
	all := records(t, "denied-reads", true)
	first, second := write(t, logOf(all[:10]...), t.TempDir(), "1.json"), write(t, logOf(all[10:]...), t.TempDir(), "2.json")
	file := filepath.Join(t.TempDir(), "state.db")
	for _, state := range []string{"", file} {
		var out string
		for _, path := range []string{first, second} {
			var err error
			if out, err = replayed(t, Replay{Paths: []string{path}, Config: settings(t), State: state, JSON: true, Detection: []string{"denied-reads"}}); err != nil {
				t.Fatal(err)
			}
		}
		if found := strings.Contains(out, `"denied-reads|`); found != (state != "") {
			t.Errorf("with the state %q: found %t\n%s", state, found, out)
		}
	}
	if _, err := replayed(t, Replay{Paths: []string{first}, State: filepath.Join(t.TempDir(), "no", "folder")}); err == nil || !strings.Contains(err.Error(), "--state: ") {
		t.Errorf("got %v", err)
	}
}
