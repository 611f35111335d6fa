package runtime

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// maxLogLine is where a line without end is cut into parts, as runtimes do.
const maxLogLine = 16 * 1024

// logFile is a container's log in the format that the kubelet reads: one line
// per line, with time, stream and a tag that tells full lines from parts.
type logFile struct {
	mu   sync.Mutex
	path string
	file *os.File
	now  func() time.Time
}

// openLog opens the log at path for appending and makes its folder. An empty
// path means that nobody wants the log.
func openLog(path string, now func() time.Time) (*logFile, error) {
	l := &logFile{path: path, now: now}
	if path == "" {
		return l, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("making the folder of a container log: %w", err)
	}
	return l, l.reopen()
}

// reopen continues in a new file at the same path; the kubelet asks for it
// after it has moved the old one away.
func (l *logFile) reopen() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.path == "" {
		return nil
	}
	file, err := os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("opening a container log: %w", err)
	}
	if l.file != nil {
		l.file.Close()
	}
	l.file = file
	return nil
}

// copy writes what r delivers as lines of the stream until r ends.
func (l *logFile) copy(stream string, r io.Reader) {
	reader := bufio.NewReaderSize(r, maxLogLine)
	for {
		line, err := reader.ReadSlice('\n')
		if len(line) > 0 {
			l.write(stream, bytes.TrimSuffix(line, []byte("\n")), errors.Is(err, bufio.ErrBufferFull))
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

// write appends one line. A log that cannot be written must not stop the
// container, so the error is dropped.
func (l *logFile) write(stream string, line []byte, partial bool) {
	tag := "F"
	if partial {
		tag = "P"
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		fmt.Fprintf(l.file, "%s %s %s %s\n", l.now().Format(time.RFC3339Nano), stream, tag, line)
	}
}

func (l *logFile) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		l.file.Close()
		l.file = nil
	}
}
