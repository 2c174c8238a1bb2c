package audit_test

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/rekey-aws/rekey/shared/audit"
)

// numbered is a record with an id of its own.
func numbered(n int) string {
	return strings.Replace(record("GetSecretValue", `"requestParameters":{"secretId":"a"},`), `"e-1"`, fmt.Sprintf(`"e-%d"`, n), 1)
}

func ids(t *testing.T, r io.Reader) ([]string, audit.Counts, error) {
	t.Helper()
	var n audit.Normalizer
	var got []string
	counts, err := n.Records(r, func(e *audit.Event) { got = append(got, e.ID) })
	return got, counts, err
}

func TestRecords(t *testing.T) {
	t.Parallel()
	three := []string{numbered(1), numbered(2), numbered(3)}
	foreign := strings.Replace(numbered(9), "secretsmanager.amazonaws.com", "s3.amazonaws.com", 1)
	list := strings.Join(three, " ,\n")
	for name, test := range map[string]struct {
		text   string
		others int
		broken int
	}{
		"log file":      {text: `{"Records":[` + list + `]}`},
		"with more":     {text: ` { "Records" : [ ` + list + ` ] , "More" : {"a":[1]} , "b" : 2 } `},
		"lookup":        {text: `{"Events":[` + list + `],"NextToken":"x"}`},
		"array":         {text: `[` + list + `]`},
		"lines":         {text: strings.Join(three, "\n") + "\n"},
		"files":         {text: `{"Records":[` + three[0] + `]}{"Records":[]}{"Records":[` + three[1] + `,` + three[2] + `]}`},
		"other service": {text: `{"Records":[` + foreign + `,` + list + `]}`, others: 1},
		"no event":      {text: `[{"a":1},` + list + `]`, broken: 1},
	} {
		for how, r := range map[string]io.Reader{
			"at once": strings.NewReader(test.text), "byte by byte": iotest.OneByteReader(strings.NewReader(test.text)),
			"with its end": iotest.DataErrReader(strings.NewReader(test.text)),
		} {
			got, counts, err := ids(t, r)
			if diff := cmp.Diff([]string{"e-1", "e-2", "e-3"}, got); diff != "" || err != nil {
				t.Errorf("%s, %s: %v (-want +got):\n%s", name, how, err, diff)
			}
			if counts.Others != test.others || counts.Broken != test.broken || counts.Bytes != int64(len(test.text)) || counts.Events != 3+test.others {
				t.Errorf("%s, %s: counted %+v", name, how, counts)
			}
		}
	}
}

// What is before the damage is handed on.
func TestRecordsDamaged(t *testing.T) {
	t.Parallel()
	whole := `{"Records":[` + numbered(1) + `,` + numbered(2) + `]}`
	for name, text := range map[string]string{
		"cut in a record":  whole[:len(whole)-100],
		"cut after":        whole[:len(whole)-2],
		"no JSON":          whole[:len(whole)-100] + "\x00}}",
		"something else":   `{"Records":[` + numbered(1) + `,17]}`,
		"no comma":         `{"Records":[` + numbered(1) + ` "x"]}`,
		"brackets crossed": `[` + numbered(1) + `}`,
	} {
		got, _, err := ids(t, strings.NewReader(text))
		if !errors.Is(err, audit.ErrMalformed) || len(got) == 0 || got[0] != "e-1" {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if got, counts, err := ids(t, strings.NewReader(`{"awsAccountId":"1","digestS3Bucket":"b","logFiles":[]}`)); len(got) != 0 || err != nil || !counts.Digest {
		t.Errorf("a digest file: %v, %+v, %v", got, counts, err)
	}
	if _, _, err := ids(t, iotest.ErrReader(errLost)); !errors.Is(err, errLost) {
		t.Errorf("a file that cannot be read: %v", err)
	}
	if _, _, err := ids(t, strings.NewReader(`{"a":"`+strings.Repeat("x", 5<<20))); !errors.Is(err, audit.ErrMalformed) {
		t.Errorf("a record without an end: %v", err)
	}
}

// endless repeats a record.
type endless struct {
	record []byte
	at     int
	left   int
}

func (r *endless) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, io.EOF
	}
	n := 0
	for n < len(p) {
		c := copy(p[n:], r.record[r.at:])
		n, r.at = n+c, (r.at+c)%len(r.record)
		if r.at == 0 {
			r.left--
		}
		if r.left <= 0 {
			break
		}
	}
	return n, nil
}

// A stream of any length takes the same memory.
func TestRecordsMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("reads a quarter of a gigabyte")
	}
	text := []byte(numbered(1) + "\n")
	var n audit.Normalizer
	highest := uint64(0)
	seen := 0
	counts, err := n.Records(&endless{record: text, left: 256 << 20 / len(text)}, func(*audit.Event) {
		if seen++; seen%50_000 == 0 {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			highest = max(highest, m.HeapInuse)
		}
	})
	if err != nil || counts.Bytes < 250<<20 || counts.Events != seen {
		t.Fatal(counts, err)
	}
	if highest > 64<<20 {
		t.Errorf("%d MiB of memory for %d MiB of records", highest>>20, counts.Bytes>>20)
	}
}
