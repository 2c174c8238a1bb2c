package main

import (
	"bufio"
	"net"
	"testing"
)

func TestWireCounts(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() { // welcomes, answers each line with two, and says nothing to "bye"
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Write([]byte("welcome\n"))
			for in := bufio.NewScanner(c); in.Scan() && in.Text() != "bye"; {
				c.Write([]byte("one\ntwo\n"))
			}
			c.Close()
		}
	}()
	w, err := newWire(t.Context(), l.Addr().String(), func(greeting []byte) bool { return greeting[0] == 'p' })
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	for _, first := range []string{"plain\n", "secret\n"} {
		c, err := net.Dial("tcp", w.listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		in := bufio.NewScanner(c)
		in.Scan()
		for _, request := range []string{first, "again\n"} {
			c.Write([]byte(request))
			in.Scan()
			in.Scan()
		}
		c.Write([]byte("bye\n"))
		if in.Scan() { // until the other side ends
			t.Errorf("got %q", in.Text())
		}
		c.Close()
	}
	want := traffic{connections: 2, plaintext: 1, turns: 4, bytes: 2*(8+4*4+4+6) + 6 + 7}
	if got := w.count(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestLoginsWithoutTLS(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		open     func([]byte) bool
		greeting string
		want     bool
	}{
		"PostgreSQL, a request for TLS": {openPostgres, "\x00\x00\x00\x08\x04\xd2\x16\x2f", false},
		"PostgreSQL, a session":         {openPostgres, "\x00\x00\x00\x15\x00\x03\x00\x00user\x00", true},
		"PostgreSQL, TLS at once":       {openPostgres, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc", false},
		"MySQL, a request for TLS":      {openMySQL, "\x20\x00\x00\x01\x85\xae\xff\x01", false},
		"MySQL, a login":                {openMySQL, "\xc0\x00\x00\x01\x85\xa6\xff\x01", true},
		"nothing":                       {openMySQL, "", false},
	} {
		if got := tt.open([]byte(tt.greeting)); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
