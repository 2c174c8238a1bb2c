package status

import (
	"io"
	"slices"
	"time"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/fleet"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/output"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/terminal"
)

// listing writes secrets in the form that was asked for. A program gets them as they come. A
// person shall see the worst first, which is not known before the end: so rows are held until
// there are batch of them, a second or two of a large account, and each batch is sorted. What
// needs someone is told once more at the end if there was more than one.
type listing struct {
	format  output.Format
	screen  *terminal.Terminal
	now     time.Time
	regions bool // a column says which

	rows    *output.Rows[row]
	held    []*fleet.Secret
	batches int
	again   worst
}

const (
	batch     = 1000
	mostAgain = 20
)

func newListing(format output.Format, stdout io.Writer, screen *terminal.Terminal, now time.Time, regions bool) *listing {
	l := &listing{format: format, screen: screen, now: now, regions: regions, again: worst{most: mostAgain}}
	l.rows = output.New(format, stdout, screen, columns(format, screen, regions, now)...)
	return l
}

func (l *listing) add(s *fleet.Secret) error {
	if l.format != output.Table {
		return l.rows.Write(rowOf(s))
	}
	if s.Health.Unhealthy() {
		l.again.add(s)
	}
	if l.held = append(l.held, s); len(l.held) == batch {
		return l.write()
	}
	return nil
}

// write writes what is held.
func (l *listing) write() error {
	if len(l.held) > 0 {
		l.batches++
	}
	slices.SortFunc(l.held, compare)
	for _, s := range l.held {
		if err := l.rows.Write(rowOf(s)); err != nil {
			return err
		}
	}
	l.held = l.held[:0]
	return l.rows.Flush()
}

// close writes the rest; of a table also how it stands in all.
func (l *listing) close(sum *summary) error {
	if err := l.write(); err != nil || l.format != output.Table {
		return err
	}
	if l.batches > 1 && len(l.again.secrets) > 0 {
		l.screen.Println("\n" + l.screen.Bold("Once more, what needs someone:"))
		for _, s := range l.again.secrets {
			if err := l.rows.Write(rowOf(s)); err != nil {
				return err
			}
		}
		if err := l.rows.Flush(); err != nil {
			return err
		}
		if more := sum.unhealthy() - len(l.again.secrets); more > 0 {
			l.screen.Println("… and " + grouped(more) + " more: --unhealthy")
		}
	}
	if l.batches > 0 {
		l.screen.Println("")
	}
	l.screen.Println(sum.line(l.screen))
	return l.screen.Err()
}
