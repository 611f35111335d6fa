package fakenodes

import (
	"fmt"
	"net/netip"
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// addresses gives every pod an address of its own. It is safe for concurrent use.
type addresses struct {
	mu     sync.Mutex
	prefix netip.Prefix
	last   netip.Addr
	byPod  map[types.UID]string
	used   map[string]bool
}

func newAddresses(cidr string) (*addresses, error) {
	prefix, err := netip.ParsePrefix(cidr)
	if err != nil || !prefix.Addr().Is4() || prefix.Bits() > 30 {
		return nil, fmt.Errorf("reading --pod-cidr %q: want an IPv4 range such as 10.245.0.0/16", cidr)
	}
	prefix = prefix.Masked()
	return &addresses{prefix: prefix, last: prefix.Addr(), byPod: map[types.UID]string{}, used: map[string]bool{}}, nil
}

// take returns the address of the pod, which gets the next free one when it
// has none yet.
func (a *addresses) take(pod types.UID) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if address, ok := a.byPod[pod]; ok {
		return address, nil
	}
	addr := a.last
	for range 1 << (32 - a.prefix.Bits()) {
		addr = a.next(addr)
		if text := addr.String(); !a.used[text] {
			a.last, a.byPod[pod], a.used[text] = addr, text, true
			return text, nil
		}
	}
	return "", fmt.Errorf("taking a pod address: all of %s are in use; give a larger --pod-cidr", a.prefix)
}

// next returns the address behind addr, beginning again behind the last.
func (a *addresses) next(addr netip.Addr) netip.Addr {
	if n := addr.Next(); a.prefix.Contains(n) {
		return n
	}
	return a.prefix.Addr().Next()
}

// keep notes the address that a pod has from before this process started.
func (a *addresses) keep(pod types.UID, address string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, ok := a.byPod[pod]; !ok && address != "" {
		a.byPod[pod], a.used[address] = address, true
	}
}

// free gives the pod's address back.
func (a *addresses) free(pod types.UID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.used, a.byPod[pod])
	delete(a.byPod, pod)
}
