package load

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// The bounds of Options.
const (
	MaxDuration    = time.Hour
	MaxClients     = 1000
	MaxRate        = 20000
	MaxTimeout     = time.Minute
	DefaultTimeout = 10 * time.Second
)

// Target is where requests of one cohort go. Targets with the same name are one
// cohort, for example one that uses several gateways.
type Target struct {
	Name    string            `json:"name"`              // the cohort; "all" if empty
	URL     string            `json:"url"`               // http, the host an allowed IP address or localhost
	Host    string            `json:"host,omitempty"`    // Host header; the URL's host if empty
	Headers map[string]string `json:"headers,omitempty"` // sent with each request
	// VersionHeader of an answer names its version; the body does if empty.
	VersionHeader string `json:"versionHeader,omitempty"`
}

// Options say what is sent. Every run is bounded: MaxDuration is required, and
// MaxRequests too when there is no Rate.
type Options struct {
	Targets      []Target      `json:"targets"`      // each request picks one of them at random
	Clients      int           `json:"clients"`      // requests under way at once, 1 to MaxClients
	Rate         float64       `json:"rate"`         // requests a second in total; 0: as fast as the clients can
	PostShare    float64       `json:"postShare"`    // share of POST requests, 0 to 1
	NewConnShare float64       `json:"newConnShare"` // share of requests on a connection of their own, 0 to 1
	Timeout      time.Duration `json:"timeoutNs"`    // per request with dialling; DefaultTimeout if 0
	Slow         time.Duration `json:"slowNs"`       // answers that take longer are bad in the Ledger; 0: none is
	MaxDuration  time.Duration `json:"maxDurationNs"`
	MaxRequests  int64         `json:"maxRequests"` // 0: no limit
	Seed         uint64        `json:"seed"`        // of the random choices; runs with the same seed choose alike
}

// allowed are the networks that load may be sent to: loopback, the sandbox's
// pods, and the sandbox's gateways (a range that is reserved for documentation
// and never routed).
var allowed = []netip.Prefix{
	netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("::1/128"),
	netip.MustParsePrefix("10.244.0.0/16"),
	netip.MustParsePrefix("192.0.2.0/24"),
}

// check fills in defaults and reports everything that is wrong at once.
func (o *Options) check() error {
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	var errs []error
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	refuse(len(o.Targets) == 0, "targets: at least one is required")
	refuse(o.Clients < 1 || o.Clients > MaxClients, "clients: %d is not between 1 and %d", o.Clients, MaxClients)
	refuse(!(o.Rate >= 0 && o.Rate <= MaxRate), "rate: %v is not between 0 and %d a second", o.Rate, MaxRate)
	refuse(!(o.PostShare >= 0 && o.PostShare <= 1), "post share: %v is not between 0 and 1", o.PostShare)
	refuse(!(o.NewConnShare >= 0 && o.NewConnShare <= 1), "new connection share: %v is not between 0 and 1", o.NewConnShare)
	refuse(o.Timeout < 0 || o.Timeout > MaxTimeout, "timeout: %v is not between 0 and %v", o.Timeout, MaxTimeout)
	refuse(o.Slow < 0, "slow: %v is negative", o.Slow)
	refuse(o.MaxDuration <= 0 || o.MaxDuration > MaxDuration, "duration: %v is not above 0 and at most %v; every run is bounded", o.MaxDuration, MaxDuration)
	refuse(o.MaxRequests < 0, "requests: %d is negative", o.MaxRequests)
	refuse(o.Rate == 0 && o.MaxRequests == 0, "requests: without a rate a number of requests is required; every run is bounded")
	o.Targets = append([]Target(nil), o.Targets...)
	for i := range o.Targets {
		if o.Targets[i].Name == "" {
			o.Targets[i].Name = "all"
		}
		if _, err := o.Targets[i].address(); err != nil {
			errs = append(errs, fmt.Errorf("targets[%d].url: %w", i, err))
		}
		for name, value := range o.Targets[i].Headers {
			refuse(!plain(name) || strings.ContainsAny(value, "\r\n"), "targets[%d].headers: %q: %q is not a header", i, name, value)
		}
	}
	return errors.Join(errs...)
}

// address returns the address to dial. Names other than localhost are refused
// rather than looked up: what a name means may change after the check.
func (t Target) address() (netip.AddrPort, error) {
	u, err := url.Parse(t.URL)
	if err != nil {
		return netip.AddrPort{}, err
	}
	if u.Scheme != "http" || u.User != nil {
		return netip.AddrPort{}, fmt.Errorf("%q: want http://ADDRESS[:PORT]/path", t.URL)
	}
	host := u.Hostname()
	if host == "localhost" {
		host = "127.0.0.1"
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%q: host %q is not an IP address; set the Host header to send a name", t.URL, host)
	}
	if !isAllowed(ip) {
		return netip.AddrPort{}, fmt.Errorf("%q: load is only sent to loopback, 10.244.0.0/16 and 192.0.2.0/24, not to %s", t.URL, ip)
	}
	port := uint64(80)
	if u.Port() != "" {
		if port, err = strconv.ParseUint(u.Port(), 10, 16); err != nil || port == 0 {
			return netip.AddrPort{}, fmt.Errorf("%q: port %s is not between 1 and 65535", t.URL, u.Port())
		}
	}
	return netip.AddrPortFrom(ip, uint16(port)), nil
}

func isAllowed(ip netip.Addr) bool {
	for _, p := range allowed {
		if p.Contains(ip.Unmap()) {
			return true
		}
	}
	return false
}

// plain says whether name can be the name of a header.
func plain(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune("()<>@,;:\\\"/[]?={}", r)
	})
}
