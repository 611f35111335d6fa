package runtime

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLogFormat(t *testing.T) {
	path := filepath.Join(t.TempDir(), "main", "0.log")
	now := func() time.Time { return time.Date(2025, 1, 2, 3, 4, 5, 6000, time.UTC) }
	log, err := openLog(path, now)
	require.NoError(t, err)
	long := strings.Repeat("x", maxLogLine) + "y"
	log.copy("stdout", strings.NewReader("one\n\ntwo\n"))
	log.copy("stderr", strings.NewReader(long+"\nwithout end"))
	log.close()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	const at = "2025-01-02T03:04:05.000006Z "
	require.Equal(t, strings.Join([]string{
		at + "stdout F one",
		at + "stdout F ",
		at + "stdout F two",
		at + "stderr P " + long[:maxLogLine],
		at + "stderr F y",
		at + "stderr F without end",
		"",
	}, "\n"), string(text))
}

func TestLogReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "0.log")
	log, err := openLog(path, time.Now)
	require.NoError(t, err)
	log.copy("stdout", strings.NewReader("old\n"))
	require.NoError(t, os.Rename(path, path+".1"))
	require.NoError(t, log.reopen())
	log.copy("stdout", strings.NewReader("new\n"))
	log.close()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.True(t, strings.HasSuffix(string(text), " stdout F new\n"), string(text))
	require.Equal(t, 1, strings.Count(string(text), "\n"))
}

func TestLogWithoutPath(t *testing.T) {
	log, err := openLog("", time.Now)
	require.NoError(t, err)
	log.copy("stdout", strings.NewReader("dropped\n"))
	require.NoError(t, log.reopen())
	log.close()
}
