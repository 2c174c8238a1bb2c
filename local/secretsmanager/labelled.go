package secretsmanager

import (
	"slices"
	"strings"
	"time"
)

// LabelEvent is one write that moved staging labels, as [Options.OnLabels] sees it. It holds
// no value of a secret.
type LabelEvent struct {
	Time    time.Time // by the server's clock
	ARN     string    // of the secret; a replica has events of its own
	Name    string
	Region  string
	Created bool        // the write made the secret
	Moves   []LabelMove // sorted by label; at least one
}

// LabelMove is where one label was, and where it is now. Both are version ids; From is empty
// for a label that is new, To for one that is gone.
type LabelMove struct{ Label, From, To string }

// labelled tells OnLabels of changes that were committed. The caller holds writing, so that
// the events of one secret come in order.
func (s *Server) labelled(changes []change) {
	if s.opt.OnLabels == nil {
		return
	}
	for _, c := range changes {
		if c.next == nil {
			continue
		}
		old := c.old
		if old != nil && old.ARN != c.next.ARN {
			old = nil // another secret of the same name
		}
		if moves := labelMoves(old, c.next); len(moves) > 0 {
			s.opt.OnLabels(LabelEvent{
				Time: s.opt.Now(), ARN: c.next.ARN, Name: c.next.Name, Region: c.next.Region, Created: old == nil, Moves: moves,
			})
		}
	}
}

func labelMoves(old, next *secret) []LabelMove {
	was, is := holders(old), holders(next)
	var moves []LabelMove
	for label, to := range is {
		if was[label] != to {
			moves = append(moves, LabelMove{label, was[label], to})
		}
	}
	for label, from := range was {
		if _, kept := is[label]; !kept {
			moves = append(moves, LabelMove{label, from, ""})
		}
	}
	slices.SortFunc(moves, func(a, b LabelMove) int { return strings.Compare(a.Label, b.Label) })
	return moves
}

// holders maps labels to the versions that have them.
func holders(s *secret) map[string]string {
	m := map[string]string{}
	if s == nil {
		return m
	}
	for _, v := range s.Versions {
		for _, label := range v.Stages {
			m[label] = v.ID
		}
	}
	return m
}
