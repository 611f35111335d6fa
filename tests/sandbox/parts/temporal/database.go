package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"

	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	sqliteschema "go.temporal.io/server/schema/sqlite"
)

// sqlConfig describes the file as the server opens it. The keys without an
// underscore become pragmas: with a write-ahead log and without waiting for the
// disk a killed process loses nothing, only a machine without power would.
func sqlConfig(path string) *config.SQL {
	return &config.SQL{
		PluginName:   sqlite.PluginName,
		DatabaseName: path,
		ConnectAttributes: map[string]string{
			"mode":         "rwc",
			"journal_mode": "wal",
			"synchronous":  "0",
			"busy_timeout": "5000",
		},
	}
}

// prepareDatabase makes the file with its tables if it is not there, and the
// namespaces that are missing in it. Search attributes of a namespace that is
// made here can be used at once; for one that exists see [prepare].
func prepareDatabase(opts options) error {
	_, err := os.Stat(opts.db)
	if errors.Is(err, fs.ErrNotExist) {
		err = createDatabase(opts.db)
	}
	if err != nil {
		return fmt.Errorf("opening database %s: %w", opts.db, err)
	}
	var namespaces []*sqliteschema.NamespaceConfig
	for _, name := range opts.namespaces {
		ns, err := sqliteschema.NewNamespaceConfig(clusterName, name, false, maps.Clone(opts.attributes))
		if err != nil {
			return fmt.Errorf("describing namespace %q: %w", name, err)
		}
		namespaces = append(namespaces, ns)
	}
	if err := sqliteschema.CreateNamespaces(sqlConfig(opts.db), namespaces...); err != nil {
		return fmt.Errorf("making namespaces in %s: %w", opts.db, err)
	}
	return nil
}

// createDatabase fills a file beside the wanted one and renames it, so that a
// process killed half-way does not leave a database without its tables. It has
// no write-ahead log yet: that would be a second file to rename.
func createDatabase(path string) error {
	half := path + ".new"
	if err := os.Remove(half); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	cfg := sqlConfig(half)
	cfg.ConnectAttributes["journal_mode"] = "memory"
	if err := sqliteschema.SetupSchema(cfg); err != nil {
		return fmt.Errorf("making the tables: %w", err)
	}
	return os.Rename(half, path)
}
