package terminal

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

func TestPlain(t *testing.T) {
	var out bytes.Buffer
	p := Plain(&out)
	p.Begin("moving")
	p.Println(p.Bold("bold") + p.Dim("dim") + p.Red("red") + p.Mark(true) + p.Mark(false))
	p.Stop()
	if got := out.String(); got != "bolddimredok  FAIL\n" || p.Err() != nil {
		t.Errorf("wrote %q, %v", got, p.Err())
	}
}

// What is no terminal gets plain text, whatever the environment says.
func TestNewIntoFile(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if c := New(f, func(string) (string, bool) { return "xterm", true }); c.colour || c.live || c.signs {
		t.Errorf("a file counts as a terminal")
	}
}

// The moving line is erased by the next line, and moves no more.
func TestMovingLine(t *testing.T) {
	var out bytes.Buffer
	live := &Terminal{w: &out, signs: true, colour: true, live: true}
	live.Begin("first")
	time.Sleep(250 * time.Millisecond)
	live.Begin("second")
	live.Println(live.Mark(true) + " done")
	live.Println("after")
	time.Sleep(150 * time.Millisecond)
	live.mu.Lock()
	defer live.mu.Unlock()
	text := out.String()
	if !strings.HasPrefix(text, eraseLine+"  \x1b[36m⠋\x1b[0m first") || strings.Count(text, " first") < 2 {
		t.Errorf("the line does not move: %q", text)
	}
	if !strings.HasSuffix(text, eraseLine+"\x1b[32m✔\x1b[0m done\nafter\n") {
		t.Errorf("the line is not erased: %q", text)
	}
}

// It has one line of the terminal, however long the text is.
func TestMovingLineFits(t *testing.T) {
	var out bytes.Buffer
	live := &Terminal{w: &out, signs: true, live: true, width: 80}
	live.Begin(strings.Repeat("ä", 100))
	time.Sleep(1250 * time.Millisecond) // after which there is a time behind it
	live.Stop()
	live.mu.Lock()
	defer live.mu.Unlock()
	for line := range strings.SplitSeq(out.String(), eraseLine) {
		if n := len([]rune(line)); n > 80 {
			t.Errorf("a line of %d columns: %q", n, line)
		}
	}
	if text := out.String(); !strings.Contains(text, "ä…  1.") {
		t.Errorf("wrote %q", text)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestBrokenPipe(t *testing.T) {
	p := Plain(broken{})
	p.Println("x")
	if err := p.Err(); err == nil || err.Error() != "writing the output: broken pipe" {
		t.Errorf("error %v", err)
	}
}

func TestWords(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-1: "0 ms", 0: "0.0 ms", 1240 * time.Microsecond: "1.2 ms", 45600 * time.Microsecond: "45 ms",
		999 * time.Millisecond: "999 ms", 4140 * time.Millisecond: "4.1 s",
	} {
		if got := Duration(d); got != want {
			t.Errorf("%d ns is %q, want %q", d, got, want)
		}
	}
	if Count(1, "login") != "1 login" || Count(2, "login") != "2 logins" || Count(0, "login") != "0 logins" {
		t.Error("wrong number")
	}
}
