package analysis

import (
	"context"
	"slices"
	"strings"
	"time"
)

// look is one look at a server: all that is asked for one sample, of one time.
type look struct {
	server *link
	at     time.Time
	// most series of a query for counters.
	most int
	// notes are what the server has remarked about the queries, each once.
	notes []string
}

func (l *look) value(ctx context.Context, query string) (float64, error) {
	value, note, err := l.server.Value(ctx, query, l.at)
	l.keep(note)
	return value, err
}

func (l *look) counters(ctx context.Context, queries []string) ([]map[string]float64, error) {
	counters, note, err := l.server.Counters(ctx, queries, l.at, l.most)
	l.keep(note)
	return counters, err
}

func (l *look) keep(note string) {
	if note != "" && !slices.Contains(l.notes, note) {
		l.notes = append(l.notes, note)
	}
}

// note is everything that was remarked, in one line.
func (l *look) note() string { return strings.Join(l.notes, "; ") }
