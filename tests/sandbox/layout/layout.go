// Package layout knows what stands where in a sandbox's folder, and who holds
// the folder at present.
package layout

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
)

// DefaultName is the name of a sandbox that was given none.
const DefaultName = "default"

var namePattern = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$`)

// Dir is the folder of one sandbox. Everything that it writes is in it.
type Dir string

// CheckName returns an error if the name of a sandbox is not one of lower-case
// letters, digits and inner dashes, or longer than 40 characters: it becomes
// part of paths and of kubeconfigs.
func CheckName(name string) error {
	if !namePattern.MatchString(name) {
		return fmt.Errorf("sandbox name %q: use at most 40 lower-case letters, digits and inner dashes", name)
	}
	return nil
}

// Default returns the folder of the sandbox of the given name in the user's
// state folder: $XDG_STATE_HOME/sluice/sandbox/NAME, where $XDG_STATE_HOME is
// ~/.local/state if unset.
// It is an error if CheckName does not accept the name.
func Default(name string) (Dir, error) {
	if err := CheckName(name); err != nil {
		return "", err
	}
	base := os.Getenv("XDG_STATE_HOME")
	if base == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("finding the folder for the sandbox's state (or give --dir): %w", err)
		}
		base = filepath.Join(home, ".local", "state")
	}
	return Dir(filepath.Join(base, "sluice", "sandbox", name)), nil
}

// Abs returns the folder with an absolute path.
func (d Dir) Abs() (Dir, error) {
	path, err := filepath.Abs(string(d))
	if err != nil {
		return "", fmt.Errorf("resolving the sandbox's folder %s: %w", d, err)
	}
	return Dir(path), nil
}

// Join returns the path of a file in the folder.
func (d Dir) Join(elements ...string) string {
	return filepath.Join(append([]string{string(d)}, elements...)...)
}

// Kubeconfig is the administrator's kubeconfig for use outside the sandbox.
func (d Dir) Kubeconfig() string { return d.Join("kubeconfig") }

// InnerKubeconfig is the kubeconfig of a user for use inside the sandbox, for
// example of "admin" or "scheduler".
func (d Dir) InnerKubeconfig(user string) string { return d.Join("kubeconfigs", user) }

// Cert is a PEM file of the sandbox's certificate authority.
func (d Dir) Cert(file string) string { return d.Join("certs", file) }

// Log is the log file of a part.
func (d Dir) Log(part string) string { return d.Join("logs", part+".log") }

// Targets is the folder from whose files, NAME.json, Prometheus reads more
// targets; honoured are those whose labels go before those of the target.
func (d Dir) Targets(honoured bool) string {
	if honoured {
		return d.Join("targets", "honoured")
	}
	return d.Join("targets", "added")
}

// Control is the control socket.
func (d Dir) Control() string { return d.Join("run", "control.sock") }

// Spec says what the supervisor runs.
func (d Dir) Spec() string { return d.Join("run", "spec.json") }

// State says where the sandbox can be reached and who runs it.
func (d Dir) State() string { return d.Join("state.json") }

func (d Dir) lock() string { return d.Join("run", "lock") }

// Create makes the folder and those in it. Only the user may look into it:
// it holds keys.
// It is an error if the folder holds something else already.
func (d Dir) Create() error {
	if err := d.check(); err != nil {
		return fmt.Errorf("using %s: %w", d, err)
	}
	for _, sub := range []string{"certs", "kubeconfigs", "logs", "run"} {
		if err := os.MkdirAll(d.Join(sub), 0o700); err != nil {
			return fmt.Errorf("creating the sandbox's folder: %w", err)
		}
	}
	// The lock is also the mark of a sandbox's folder.
	mark, err := os.OpenFile(d.lock(), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("creating the sandbox's folder: %w", err)
	}
	return mark.Close()
}

// Wipe deletes what an earlier sandbox left in the folder. The caller holds
// the lock, which stays.
func (d Dir) Wipe() error {
	entries, err := os.ReadDir(string(d))
	if err != nil {
		return fmt.Errorf("looking into %s: %w", d, err)
	}
	for _, entry := range entries {
		if entry.Name() == "run" {
			continue
		}
		if err := os.RemoveAll(d.Join(entry.Name())); err != nil {
			return fmt.Errorf("wiping the sandbox's folder: %w", err)
		}
	}
	return d.Create()
}

// Remove deletes the folder. It refuses one that does not look like a
// sandbox's, so that a wrong --dir costs nothing.
func (d Dir) Remove() error {
	if err := d.check(); err != nil {
		return fmt.Errorf("removing %s: %w", d, err)
	}
	if err := os.RemoveAll(string(d)); err != nil {
		return fmt.Errorf("removing the sandbox's folder: %w", err)
	}
	return nil
}

// check returns an error if the folder is neither a sandbox's nor empty.
func (d Dir) check() error {
	entries, err := os.ReadDir(string(d))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if len(entries) == 0 {
		return nil
	}
	if _, err := os.Stat(d.lock()); err != nil {
		return errors.New("the folder is not empty and not a sandbox's")
	}
	return nil
}
