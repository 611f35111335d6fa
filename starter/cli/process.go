package cli

import (
	"os"
	"os/user"
	"path/filepath"
	"runtime/debug"
	"time"

	"golang.org/x/term"
)

// ProcessHost is the Host of the present process.
func ProcessHost() Host {
	b := &backend{env: os.LookupEnv}
	return Host{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		Env: os.LookupEnv,
		Now: time.Now,
		Tick: func(interval time.Duration) (<-chan time.Time, func()) {
			ticker := time.NewTicker(interval)
			return ticker.C, ticker.Stop
		},
		Terminal: func() (int, int, bool) {
			fd := int(os.Stdout.Fd())
			if !term.IsTerminal(fd) {
				return 0, 0, false
			}
			width, height, err := term.GetSize(fd)
			return width, height, err == nil && width > 0 && height > 0
		},
		User:    systemUser,
		Program: filepath.Base(os.Args[0]),
		Version: version(),
		Backend: b,
		Remains: b,
		Metrics: b,
	}
}

// systemUser is user@host of the process; what cannot be told is left out.
func systemUser() string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}

// version is what the Go toolchain has recorded about the build.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" && info.Main.Version == "(devel)" {
			return "(devel) " + setting.Value
		}
	}
	return info.Main.Version
}
