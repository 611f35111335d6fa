package netns

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// MountProc makes /proc show the processes of the caller's process namespace
// and keeps mounts made here from being seen outside.
// It returns an error where the kernel refuses, for example in a container
// that hides parts of /proc; the sandbox works without it, but tools such as
// ps show the processes outside.
func MountProc() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	flags := uintptr(unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC)
	if err := unix.Mount("proc", "/proc", "proc", flags, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	return nil
}

// UpLoopback brings the loopback interface up and makes every address of the
// given networks local to it: any of them can be listened on and dialled.
func UpLoopback(networks ...netip.Prefix) error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("finding the loopback interface: %w", err)
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return fmt.Errorf("bringing the loopback interface up: %w", explainUp(err))
	}
	for _, network := range networks {
		if err := addLocal(lo, network); err != nil {
			return err
		}
	}
	return nil
}

// addLocal routes a network to the machine itself. A network of one address
// is added as an address as well, for programs that look for theirs on the
// interfaces.
func addLocal(lo netlink.Link, network netip.Prefix) error {
	dst, err := netlink.ParseIPNet(network.Masked().String())
	if err != nil {
		return fmt.Errorf("reading the network %s: %w", network, err)
	}
	if network.IsSingleIP() {
		err = netlink.AddrReplace(lo, &netlink.Addr{IPNet: dst})
	} else {
		err = netlink.RouteReplace(&netlink.Route{
			LinkIndex: lo.Attrs().Index,
			Dst:       dst,
			Type:      unix.RTN_LOCAL,
			Table:     unix.RT_TABLE_LOCAL,
			Scope:     netlink.SCOPE_HOST,
		})
	}
	if err != nil {
		return fmt.Errorf("making %s local: %w", network, err)
	}
	return nil
}

// explainUp adds the remedy where the kernel gave a user namespace without
// rights over it.
func explainUp(err error) error {
	if errors.Is(err, syscall.EPERM) {
		return fmt.Errorf("%w (the kernel gives no rights in user namespaces: run as root, "+
			"or set sysctl kernel.apparmor_restrict_unprivileged_userns=0)", err)
	}
	return err
}
