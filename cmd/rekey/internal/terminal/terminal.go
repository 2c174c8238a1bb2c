// Package terminal writes for people: lines with marks and colours, and on a terminal one
// line that moves while something is under way. Elsewhere it is plain text.
package terminal

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"
	"unicode"

	"golang.org/x/term"
)

// Terminal is where a command's text goes. Its methods may be called from several
// goroutines. The zero value is not usable: see New and Plain.
type Terminal struct {
	signs, colour, live bool
	width               int // in columns; 0 if it is not known

	mu     sync.Mutex
	w      io.Writer
	err    error         // the first failure of w
	moving chan struct{} // closed to stop the moving line; nil: there is none
}

// narrowest is the width in columns below which the moving line is left out: it would wrap.
const narrowest = 60

// New writes to w. Colour and movement are for terminals only; colour also yields to
// NO_COLOR (https://no-color.org). lookup is os.LookupEnv.
func New(w io.Writer, lookup func(string) (string, bool)) *Terminal {
	if !Is(w) {
		return Plain(w)
	}
	if kind, _ := lookup("TERM"); kind == "dumb" {
		return Plain(w)
	}
	// The older consoles of Windows show escape sequences as they are.
	if _, modern := lookup("WT_SESSION"); runtime.GOOS == "windows" && !modern {
		return Plain(w)
	}
	width, _, err := term.GetSize(int(w.(*os.File).Fd()))
	noColour, _ := lookup("NO_COLOR")
	return &Terminal{w: w, signs: true, colour: noColour == "", live: err == nil && width >= narrowest, width: width}
}

// Is tells whether a stream, an io.Reader or an io.Writer, is a terminal.
func Is(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Plain writes plain text to w.
func Plain(w io.Writer) *Terminal { return &Terminal{w: w} }

// Aside is the terminal beside the output, stderr: it shows what is under way where the output
// is for a machine.
type Aside struct{ *Terminal }

// Err is the first failure to write, such as a closed pipe.
func (t *Terminal) Err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// Println writes a line, in place of the moving one if there is one.
func (t *Terminal) Println(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stop()
	t.write(line + "\n")
}

// Begin shows on a terminal that something is under way, and for how long, until the next
// line is written or Stop is called.
func (t *Terminal) Begin(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stop()
	if !t.live {
		return
	}
	stopped := make(chan struct{})
	t.moving = stopped
	go t.move(what, stopped)
}

// Stop erases the moving line.
func (t *Terminal) Stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stop()
}

// Clear empties the screen of a terminal.
func (t *Terminal) Clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stop()
	if t.live {
		t.write("\x1b[H\x1b[2J")
	}
}

const (
	eraseLine = "\r\x1b[2K"
	frames    = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
)

func (t *Terminal) move(what string, stopped chan struct{}) {
	begin := time.Now()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		t.mu.Lock()
		if t.moving != stopped {
			t.mu.Unlock()
			return
		}
		frame := string([]rune(frames)[i%10])
		line := "  " + t.paint(cyan, frame) + " " + t.fitting(what)
		if took := time.Since(begin); took >= time.Second {
			line += t.Dim("  " + Duration(took))
		}
		t.write(eraseLine + line)
		t.mu.Unlock()
		select {
		case <-tick.C:
		case <-stopped:
			return
		}
	}
}

// beside is what stands on the moving line beside the text: a frame before it, the time behind.
const beside = len("  ⠋ ") + len("  12345.6 s")

// fitting cuts a text that would make the moving line wrap: only one line is erased.
func (t *Terminal) fitting(what string) string {
	if text := []rune(what); t.width > beside && len(text) > t.width-beside {
		return string(text[:t.width-beside-1]) + "…"
	}
	return what
}

// stop and write: the caller holds mu.
func (t *Terminal) stop() {
	if t.moving != nil {
		close(t.moving)
		t.moving = nil
		t.write(eraseLine)
	}
}

func (t *Terminal) write(s string) {
	if _, err := io.WriteString(t.w, s); err != nil && t.err == nil {
		t.err = fmt.Errorf("writing the output: %w", err)
	}
}

// The colours, as SGR parameters: https://en.wikipedia.org/wiki/ANSI_escape_code#SGR
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
)

func (t *Terminal) paint(colour, s string) string {
	if !t.colour || s == "" {
		return s
	}
	return "\x1b[" + colour + "m" + s + "\x1b[0m"
}

// Bold makes a heading stand out.
func (t *Terminal) Bold(s string) string { return t.paint(bold, s) }

// Dim makes what is secondary recede.
func (t *Terminal) Dim(s string) string { return t.paint(dim, s) }

// Red is for failures.
func (t *Terminal) Red(s string) string { return t.paint(red, s) }

// Mark says whether something went well: a sign on a terminal, a word elsewhere.
func (t *Terminal) Mark(ok bool) string {
	switch {
	case t.signs && ok:
		return t.paint(green, "✔")
	case t.signs:
		return t.paint(red, "✘")
	case ok:
		return t.paint(green, "ok  ")
	}
	return t.paint(red, "FAIL")
}

// Verdict says how a check ended, "ok", "warn", "fail" or "skipped": a sign on a terminal, a word
// of four letters elsewhere. Any other verdict is as much space.
func (t *Terminal) Verdict(v string) string {
	switch v {
	case "ok":
		return t.Mark(true)
	case "fail":
		return t.Mark(false)
	}
	sign, word := map[string]string{"warn": "!", "skipped": "–"}[v], map[string]string{"warn": "warn", "skipped": "skip"}[v]
	switch {
	case sign == "" && t.signs:
		return " "
	case sign == "":
		return "    "
	case t.signs:
		return t.paint(yellow, sign)
	}
	return t.paint(yellow, word)
}

// Duration is a time with two or three significant digits: 45 ms, 4.1 s.
func Duration(d time.Duration) string {
	switch {
	case d < 0:
		return "0 ms"
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// Count is a number with its noun: 1 login, 2 logins.
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Tame keeps a text on its line: what a server or a function said may hold anything, and shall not
// move the terminal.
func Tame(text string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, text)
}

// List joins as a sentence does: a, b and c.
func List(items []string) string {
	if len(items) < 2 {
		return strings.Join(items, "")
	}
	last := len(items) - 1
	return strings.Join(items[:last], ", ") + " and " + items[last]
}
