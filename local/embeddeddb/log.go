package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// statementLog is what MySQL calls the general log. The zero value logs nothing.
type statementLog struct {
	mu  sync.Mutex
	out io.WriteCloser
}

func openStatementLog(path string) (*statementLog, error) {
	if path == "" {
		return &statementLog{}, nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the statement log: %w", err)
	}
	return &statementLog{out: f}, nil
}

// write appends one statement: one that cannot be logged does not run.
func (l *statementLog) write(connection uint32, who account, command, statement string) error {
	if l.out == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err := fmt.Fprintf(l.out, "%s\t%d %s\t%s\t%s\n",
		time.Now().UTC().Format(time.RFC3339Nano), connection, who, command, statement)
	if err != nil {
		return fmt.Errorf("logging a statement: %w", err)
	}
	return nil
}

func (l *statementLog) Close() error {
	if l.out == nil {
		return nil
	}
	return l.out.Close()
}

// mask replaces passwords as MySQL does in its logs: what stands in a statement as
// plaintext becomes <secret>; what is hashed already stays.
//
// https://dev.mysql.com/doc/refman/8.0/en/password-logging.html
func mask(query string, tokens []token) string {
	var masked strings.Builder
	from := 0
	inSetPassword := false
	for i, t := range tokens {
		previous := func(back int) token {
			if i < back {
				return token{kind: sign}
			}
			return tokens[i-back]
		}
		if t.is("PASSWORD") && previous(1).is("SET") {
			inSetPassword = true
		}
		if t.is(";") {
			inSetPassword = false
		}
		secret := t.kind == text || t.kind == binary
		switch before := previous(1); {
		case before.is("BY"), before.is("REPLACE"):
		case inSetPassword && (before.is("=") || before.is("TO") || before.is("(")):
		default:
			secret = false
		}
		if secret {
			masked.WriteString(query[from:t.start])
			masked.WriteString("<secret>")
			from = t.end
		}
	}
	masked.WriteString(query[from:])
	return masked.String()
}
