package main

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
)

// namespacesIn reads the file as it is, past the server.
func namespacesIn(t *testing.T, path string) []string {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	require.NoError(t, err)
	defer db.Close() //nolint:errcheck // only read
	rows, err := db.Query("SELECT name FROM namespaces ORDER BY name")
	require.NoError(t, err)
	defer rows.Close() //nolint:errcheck // read to the end
	var names []string
	for rows.Next() {
		var name string
		require.NoError(t, rows.Scan(&name))
		names = append(names, name)
	}
	require.NoError(t, rows.Err())
	return names
}

func TestPrepareDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.db")
	// What a process leaves that was killed while it made the tables.
	require.NoError(t, os.WriteFile(path+".new", []byte("half"), 0o600))
	opts := options{db: path, namespaces: []string{"a"}, attributes: attributes{"X": enumspb.INDEXED_VALUE_TYPE_INT}}
	require.NoError(t, prepareDatabase(opts))
	require.Equal(t, []string{"a"}, namespacesIn(t, path))
	require.NoFileExists(t, path+".new")

	opts.namespaces = []string{"a", "b"}
	require.NoError(t, prepareDatabase(opts))
	require.Equal(t, []string{"a", "b"}, namespacesIn(t, path))
}

func TestPrepareDatabaseFails(t *testing.T) {
	opts := options{db: filepath.Join(t.TempDir(), "no", "t.db"), namespaces: []string{"a"}}
	require.ErrorContains(t, prepareDatabase(opts), opts.db)

	opts = options{db: filepath.Join(t.TempDir(), "t.db"), namespaces: []string{"a"}, attributes: attributes{}}
	for _, name := range []string{"A", "B", "C", "D"} {
		opts.attributes[name] = enumspb.INDEXED_VALUE_TYPE_INT
	}
	require.ErrorContains(t, prepareDatabase(opts), "cannot have more than 3 search attributes")
}
