// Package outside is the half of a sandbox that runs on the machine's own
// network: it holds the folder's lock, listens on loopback for what is
// forwarded, and starts the inner half, which ends when it does.
package outside

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
)

// Forward asks for a listener on 127.0.0.1 whose connections are copied to
// addresses inside.
type Forward struct {
	Name string
	// Port is the port to listen on; 0 takes Prefer if that is free, and else
	// any free one.
	Port, Prefer int
	// Targets are addresses inside, host:port.
	Targets []string
}

// Listeners are open listeners on 127.0.0.1.
type Listeners struct {
	forwards  []Forward
	listeners []*net.TCPListener
}

// Listen opens a listener for each of the forwards. It is an error if a port
// that was asked for is taken.
func Listen(forwards []Forward) (*Listeners, error) {
	l := &Listeners{forwards: forwards}
	for _, f := range forwards {
		listener, err := listen(f)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("listening for %s: %w", f.Name, err), l.Close())
		}
		l.listeners = append(l.listeners, listener)
	}
	return l, nil
}

func listen(f Forward) (*net.TCPListener, error) {
	if f.Port == 0 && f.Prefer != 0 {
		if listener, err := listenPort(f.Prefer); err == nil {
			return listener, nil
		}
	}
	return listenPort(f.Port)
}

func listenPort(port int) (*net.TCPListener, error) {
	return net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
}

// Ports returns the ports by the forwards' names.
func (l *Listeners) Ports() map[string]int {
	ports := make(map[string]int, len(l.forwards))
	for i, f := range l.forwards {
		ports[f.Name] = l.listeners[i].Addr().(*net.TCPAddr).Port
	}
	return ports
}

// Address returns 127.0.0.1:port of the forward of the given name, or "".
func (l *Listeners) Address(name string) string {
	port, ok := l.Ports()[name]
	if !ok {
		return ""
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}

// Close closes the listeners of this process; copies that were handed to the
// inner half stay open.
func (l *Listeners) Close() error {
	var errs []error
	for _, listener := range l.listeners {
		errs = append(errs, listener.Close())
	}
	return errors.Join(errs...)
}

// files returns copies of the listeners to hand over.
func (l *Listeners) files() ([]*os.File, error) {
	files := make([]*os.File, 0, len(l.listeners))
	for i, listener := range l.listeners {
		file, err := listener.File()
		if err != nil {
			closeFiles(files)
			return nil, fmt.Errorf("handing over the listener for %s: %w", l.forwards[i].Name, err)
		}
		files = append(files, file)
	}
	return files, nil
}

func closeFiles(files []*os.File) {
	for _, f := range files {
		// Copies of which nothing depends on here.
		_ = f.Close()
	}
}
