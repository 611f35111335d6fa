package harness

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	historypb "go.temporal.io/api/history/v1"
	"google.golang.org/protobuf/encoding/protojson"
)

// History reads the events of a run; the present one where run is empty.
func (b *Bed) History(ctx context.Context, id, run string) (*historypb.History, error) {
	history := &historypb.History{}
	events := b.Temporal.GetWorkflowHistory(ctx, id, run, false, 0)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return nil, fmt.Errorf("reading the history of %s: %w", id, err)
		}
		history.Events = append(history.Events, event)
	}
	return history, nil
}

// RecordHistory writes a history as compressed JSON, for replay tests.
func RecordHistory(path string, history *historypb.History) (err error) {
	text, err := protojson.Marshal(history)
	if err != nil {
		return fmt.Errorf("encoding a history: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("recording a history: %w", err)
	}
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("recording a history: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	zip := gzip.NewWriter(file)
	if _, err := zip.Write(text); err != nil {
		return fmt.Errorf("recording a history: %w", err)
	}
	return zip.Close()
}
