package unstick

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rekey-aws/rekey/shared/rotation"
)

// read reads a situation in words: "current refused, pending works, older works; off, tried".
func read(text string) situation {
	s := situation{rotates: true}
	versions, rest, _ := strings.Cut(text, ";")
	for part := range strings.SplitSeq(versions, ",") {
		label, login, _ := strings.Cut(strings.TrimSpace(part), " ")
		v := &version{id: label, login: rotation.LoginState(login), empty: login == "empty"}
		if v.empty {
			v.login = rotation.LoginUnknown
		}
		switch label {
		case "current":
			s.current = v
		case "pending":
			s.pending = v
		case "previous":
			s.previous = v
		case "older", "oldest":
			s.older = append(s.older, *v)
		}
	}
	s.rotates = !strings.Contains(rest, "off")
	s.sound = strings.Contains(rest, "sound")
	s.renewed = strings.Contains(rest, "renewed")
	s.tried = strings.Contains(rest, "tried") || s.renewed
	return s
}

func (s step) String() string {
	switch s.act {
	case move:
		return fmt.Sprintf("current %s->%s", s.from, s.version)
	case discard:
		return "discard " + s.from
	}
	return strings.TrimSpace("rotate " + s.version)
}

func TestDecide(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		situation string
		steps     string // "" with the verdict, where there are none
		verdict   verdict
		says      string
	}{
		// Nothing is stuck.
		{"current works", "", healthy, "no rotation is pending"},
		{"current works, previous refused", "", healthy, ""},
		{"current works, previous unknown", "", healthy, ""},
		{"current works; off", "", healthy, ""},

		// A rotation has not ended, and nobody is locked out: the function's own way first.
		{"current works, pending empty", "rotate pending", mend, "goes on"},
		{"current works, pending refused", "rotate pending", mend, ""},
		{"current works, pending works", "rotate pending", mend, ""},
		{"current works, pending unknown", "rotate pending", mend, ""},
		// It did not help.
		{"current works, pending refused; tried", "discard pending, rotate", mend, "a new one begins"},
		{"current works, pending empty; tried", "", refuse, "rekey submit"},
		{"current works, pending works; tried", "", refuse, "both log in"},
		{"current works, pending unknown; tried", "", refuse, "not known"},
		{"current works, pending refused; renewed", "", refuse, "fails as well"},
		{"current works, pending empty; renewed", "", refuse, "fails as well"},
		// It is turned off.
		{"current works, pending empty; off", "discard pending", mend, "left over"},
		{"current works, pending refused; off", "discard pending", mend, ""},
		{"current works, pending works; off", "", refuse, "--client-request-token pending"},
		{"current works, pending unknown; off", "", refuse, "not known"},

		// Consumers are refused, and the pending credential is the live one.
		{"current refused, pending works", "rotate pending", mend, "not ended"},
		{"current refused, pending works, previous works", "rotate pending", mend, ""},
		{"current refused, pending works; tried", "current current->pending", mend, ""},
		{"current refused, pending works; off", "current current->pending", mend, ""},

		// An older one is.
		{"current refused, previous works", "current current->previous", mend, "older version"},
		{"current refused, pending empty, previous works", "current current->previous, discard pending", mend, ""},
		{"current refused, pending refused, previous works", "current current->previous, discard pending", mend, ""},
		{"current refused, pending refused, previous works; off", "current current->previous, discard pending", mend, ""},
		{"current refused, previous refused, older works", "current current->older", mend, ""},
		{"current refused, pending refused, previous refused, older refused, oldest works", "current current->oldest, discard pending", mend, ""},
		{"current refused, previous unknown, older works", "current current->older", mend, ""},

		// Nobody knows enough.
		{"current unknown", "", refuse, "not known"},
		{"current unknown, pending works", "", refuse, "not known"},
		{"current unknown, pending refused, previous works", "", refuse, "not known"},
		{"current refused, pending unknown", "", refuse, "not known"},
		{"current refused, pending unknown, previous works", "", refuse, "not known"},
		{"current refused, previous unknown", "", refuse, "not known"},
		{"current refused, pending empty, previous refused, older unknown", "", refuse, "not known"},

		// Nobody could know, and nothing is wrong.
		{"current unknown; sound", "", healthy, "nobody can be asked"},
		{"current unknown, pending empty; sound", "rotate pending", mend, "goes on"},
		{"current unknown, pending unknown; sound", "rotate pending", mend, ""},
		{"current unknown, pending unknown; sound tried", "", refuse, "remove-from-version-id pending"},
		{"current unknown, pending unknown; sound off", "", refuse, "--client-request-token pending"},
		{"current unknown, pending unknown, previous works; sound tried", "", refuse, ""},

		// None is live.
		{"current refused", "", refuse, "administrator"},
		{"current refused, pending empty", "", refuse, "administrator"},
		{"current refused, pending refused, previous refused, older refused; tried", "", refuse, "administrator"},
		{"previous works", "", refuse, "put-secret-value"},
		{"current empty", "", refuse, "put-secret-value"},
	} {
		p := decide(read(c.situation))
		got := make([]string, len(p.steps))
		for i, s := range p.steps {
			got[i] = s.String()
		}
		if text := strings.Join(got, ", "); text != c.steps || p.verdict != c.verdict || !strings.Contains(p.because+"; "+p.person, c.says) {
			t.Errorf("%s:\n got %s, %q, %s; %s\nwant %s, %q, …%s…", c.situation, p.verdict, text, p.because, p.person, c.verdict, c.steps, c.says)
		}
	}
}

// Whatever the situation is: labels move only to what logs in and away from what is refused,
// and no credential that may be live loses its last label. And a plan that was carried out
// leads to another situation, so that none repeats itself.
func TestDecideIsSafe(t *testing.T) {
	t.Parallel()
	logins := []string{"", "works", "refused", "unknown", "empty"}
	for _, current := range logins {
		for _, pending := range logins {
			for _, previous := range logins {
				for _, older := range logins {
					for _, rest := range []string{"", "off", "tried", "off tried", "renewed", "sound", "sound off", "sound tried"} {
						var parts []string
						for _, part := range []string{"current " + current, "pending " + pending, "previous " + previous, "older " + older} {
							if !strings.HasSuffix(part, " ") {
								parts = append(parts, part)
							}
						}
						text := strings.Join(parts, ", ") + "; " + rest
						checkSafe(t, text, read(text))
					}
				}
			}
		}
	}
}

func checkSafe(t *testing.T, text string, s situation) {
	t.Helper()
	all := map[string]*version{"older": nil}
	for _, v := range []*version{s.current, s.pending, s.previous} {
		if v != nil {
			all[v.id] = v
		}
	}
	for _, v := range s.older {
		all[v.id] = &v
	}
	p := decide(s)
	if (len(p.steps) > 0) != (p.verdict == mend) || (p.person != "") != (p.verdict == refuse) || p.because == "" {
		t.Errorf("%s: the plan contradicts itself: %+v", text, p)
	}
	for _, step := range p.steps {
		switch step.act {
		case move:
			if !all[step.version].works() || step.from != s.current.id || !s.current.refused() {
				t.Errorf("%s: moves AWSCURRENT from %s to %s", text, step.from, step.version)
			}
		case discard:
			if v := all[step.from]; v != s.pending || !v.refused() && !v.empty {
				t.Errorf("%s: takes AWSPENDING from what may be live", text)
			}
		case rotate:
			if !s.rotates || s.current.unknown() && !s.sound {
				t.Errorf("%s: rotates", text)
			}
			if step.version != "" && s.tried || step.version == "" && s.renewed {
				t.Errorf("%s: does the same again", text)
			}
		}
	}
	if slices.ContainsFunc(p.steps, func(s step) bool { return s.act == move }) && p.steps[0].act != move {
		t.Errorf("%s: does something else before it lets consumers in", text)
	}
}

func TestSituationOf(t *testing.T) {
	t.Parallel()
	labels := map[string][]string{"c": {"AWSCURRENT", "blue"}, "p": {"AWSPENDING"}, "o": {"AWSPREVIOUS"}, "mine": {"green"}}
	logins := []rotation.VersionLogin{
		{ID: "c", Stages: []string{"AWSCURRENT", "blue"}, Login: rotation.LoginRefused},
		{ID: "p", Stages: []string{"AWSPENDING"}, Login: rotation.LoginUnknown, Said: rotation.NoValue},
		{ID: "o", Stages: []string{"AWSPREVIOUS"}, Login: rotation.LoginWorks},
		{ID: "mine", Stages: []string{"green"}, Login: rotation.LoginWorks},
		{ID: "u", Login: rotation.LoginWorks},
	}
	s := situationOf(labels, logins, true)
	if s.current.id != "c" || !s.pending.empty || s.previous.id != "o" || len(s.older) != 1 || s.older[0].id != "u" || !s.rotates {
		t.Errorf("got %+v", s)
	}

	// What the function could not read, it says nothing of.
	s = situationOf(labels, logins[:1], true)
	if !s.pending.unknown() || !s.previous.unknown() || decide(s).verdict != refuse {
		t.Errorf("what nobody looked at is taken for known: %+v", s)
	}
	if s = situationOf(labels, nil, true); !s.current.unknown() || decide(s).verdict != refuse {
		t.Errorf("without a diagnosis: %+v", decide(s))
	}

	both := map[string][]string{"c": {"AWSCURRENT", "AWSPENDING"}}
	if s := situationOf(both, []rotation.VersionLogin{{ID: "c", Login: rotation.LoginWorks}}, false); s.pending != nil || decide(s).verdict != healthy {
		t.Errorf("a version with both labels is taken for a pending one: %+v", s)
	}
}
