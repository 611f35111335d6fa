package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// maxPath is what the kernel allows for the address of a Unix socket.
const maxPath = 107

// shortPath returns a path of the same socket that fits into an address,
// whatever the length of the folder's, and a function that gives it up.
func shortPath(path string) (short string, release func(), err error) {
	if len(path) <= maxPath {
		return path, func() {}, nil
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return "", nil, fmt.Errorf("opening the folder of the control socket: %w", err)
	}
	short = fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path))
	return short, func() { dir.Close() }, nil
}

// Listen creates the control socket, in place of one that is left over from a
// sandbox that is gone. Only the user may connect.
func Listen(path string) (*net.UnixListener, error) {
	short, release, err := shortPath(path)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("removing the old control socket: %w", err)
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: short, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", path, err)
	}
	// The short name is of no use later; the owner of the folder cleans up.
	listener.SetUnlinkOnClose(false)
	if err := os.Chmod(path, 0o600); err != nil {
		listener.Close()
		return nil, fmt.Errorf("protecting %s: %w", path, err)
	}
	return listener, nil
}

// dial connects to the control socket.
func dial(ctx context.Context, path string) (*net.UnixConn, error) {
	short, release, err := shortPath(path)
	if err != nil {
		return nil, err
	}
	defer release()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", short)
	if err != nil {
		return nil, fmt.Errorf("connecting to the sandbox at %s: %w", path, err)
	}
	return conn.(*net.UnixConn), nil
}

// sendFiles writes text with files attached to its first byte.
func sendFiles(conn *net.UnixConn, text []byte, files []*os.File) error {
	fds := make([]int, len(files))
	for i, f := range files {
		fds[i] = int(f.Fd())
	}
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	n, _, err := conn.WriteMsgUnix(text, rights, nil)
	if err == nil && n < len(text) {
		_, err = conn.Write(text[n:])
	}
	if err != nil {
		return fmt.Errorf("sending the request: %w", err)
	}
	return nil
}

// receiveFiles reads what came first on a connection and the files attached
// to it.
func receiveFiles(conn *net.UnixConn) (text []byte, files []*os.File, err error) {
	text = make([]byte, 32<<10)
	rights := make([]byte, unix.CmsgSpace(8*4))
	n, rn, _, _, err := conn.ReadMsgUnix(text, rights)
	if err != nil {
		return nil, nil, err
	}
	messages, err := unix.ParseSocketControlMessage(rights[:rn])
	if err != nil {
		return nil, nil, fmt.Errorf("reading the attached files: %w", err)
	}
	for _, m := range messages {
		fds, err := unix.ParseUnixRights(&m)
		if err != nil {
			return nil, nil, fmt.Errorf("reading the attached files: %w", err)
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "passed"))
		}
	}
	return text[:n], files, nil
}
