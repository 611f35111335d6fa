package runtime

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// quarantine is how long a freed address stays unused. A gateway that has not
// yet heard of a pod's end must meet a closed port, never another pod.
const quarantine = 30 * time.Second

// Addresses hands out the pod addresses of one node, going round its range so
// that an address comes back as late as possible. It is safe for concurrent use.
type Addresses struct {
	mu     sync.Mutex
	prefix netip.Prefix
	last   netip.Addr
	file   string
	used   map[netip.Addr]bool
	freed  map[netip.Addr]time.Time
	now    func() time.Time
}

// NewAddresses returns the allocator of the range cidr, for example
// 10.244.1.0/24. It remembers the last address in file, so that a node that is
// started again goes on behind it instead of giving v2 an address that was v1's
// a second ago. An unreadable file means starting from the beginning.
func NewAddresses(cidr, file string, now func() time.Time) (*Addresses, error) {
	prefix, err := netip.ParsePrefix(cidr)
	if err != nil {
		return nil, fmt.Errorf("reading the pod range %q: %w; give it as 10.244.1.0/24", cidr, err)
	}
	if !prefix.Addr().Is4() || prefix.Bits() > 30 || prefix.Bits() < 8 {
		return nil, fmt.Errorf("reading the pod range %q: want IPv4 with a prefix length of 8 to 30", cidr)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return nil, fmt.Errorf("making the folder of the last pod address: %w", err)
	}
	a := &Addresses{
		prefix: prefix.Masked(), file: file, now: now,
		used: map[netip.Addr]bool{}, freed: map[netip.Addr]time.Time{},
	}
	a.last = a.prefix.Addr()
	if text, err := os.ReadFile(file); err == nil {
		if last, err := netip.ParseAddr(strings.TrimSpace(string(text))); err == nil && a.prefix.Contains(last) {
			a.last = last
		}
	}
	return a, nil
}

// Take reserves the next address. It fails when every address is in use or was
// freed less than 30 seconds ago.
func (a *Addresses) Take() (netip.Addr, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	addr := a.last
	for range a.size() {
		addr = a.next(addr)
		if !a.free(addr) {
			continue
		}
		if err := os.WriteFile(a.file, []byte(addr.String()+"\n"), 0o644); err != nil {
			return netip.Addr{}, fmt.Errorf("remembering pod address %s: %w", addr, err)
		}
		a.last, a.used[addr] = addr, true
		delete(a.freed, addr)
		return addr, nil
	}
	return netip.Addr{}, fmt.Errorf("taking a pod address: all %d of %s are in use or were until %s ago; give the node a larger --pod-cidr", a.size(), a.prefix, quarantine)
}

// Free gives addr back. Freeing an address that is not in use does nothing.
func (a *Addresses) Free(addr netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.used[addr] {
		return
	}
	delete(a.used, addr)
	a.freed[addr] = a.now()
}

func (a *Addresses) free(addr netip.Addr) bool {
	if a.used[addr] {
		return false
	}
	freed, known := a.freed[addr]
	return !known || a.now().Sub(freed) >= quarantine
}

// next returns the address behind addr, skipping the network and broadcast
// addresses and going back to the start behind the last.
func (a *Addresses) next(addr netip.Addr) netip.Addr {
	n := addr.Next()
	if !a.prefix.Contains(n) || !a.prefix.Contains(n.Next()) {
		return a.prefix.Addr().Next()
	}
	return n
}

// size returns how many pods can have an address at once.
func (a *Addresses) size() int {
	return 1<<(32-a.prefix.Bits()) - 2
}
