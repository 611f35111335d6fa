package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"sluice.dev/sluice/tests/sandbox/load"
)

// config is the command line.
type config struct {
	options load.Options
	control string // Unix socket; "" for none
	print   func(io.Writer, load.Report) error
}

// list is a flag that may be repeated.
type list []string

func (l *list) String() string { return strings.Join(*l, " ") }

func (l *list) Set(s string) error {
	*l = append(*l, s)
	return nil
}

const usage = `usage: sluice-load --url URL [--url URL]... --duration 30s [flags]

  sluice-load --url http://192.0.2.21/version --rate 120 --duration 30s \
    --cohort everyone --cohort android:user-agent=android

Each request picks one of the cohorts and one of the URLs at random.

`

// parse reads the command line; what is wrong with the options themselves is
// found by the start of the run. Usage goes to out.
func parse(args []string, out io.Writer) (config, error) {
	var cfg config
	var urls, cohorts list
	var host, versionHeader, format string
	o := &cfg.options
	fs := flag.NewFlagSet("sluice-load", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // the caller prints the error, once
	fs.Usage = func() {}
	fs.Var(&urls, "url", "`URL` to send to: loopback, 10.244.0.0/16 or 192.0.2.0/24; may be repeated")
	fs.Var(&cohorts, "cohort", "`NAME[:HEADER=VALUE]`... of a group of clients; may be repeated")
	fs.StringVar(&host, "host", "", "`HOST` header (default: that of the URL)")
	fs.StringVar(&versionHeader, "version-header", "", "`NAME` of the header of an answer that names its version (default: the body does)")
	fs.IntVar(&o.Clients, "clients", 8, "requests under way at once")
	fs.Float64Var(&o.Rate, "rate", 0, "requests a second in total (0: as fast as the clients can; needs --requests)")
	fs.Float64Var(&o.PostShare, "post", 0.3, "share of POST requests, 0 to 1")
	fs.Float64Var(&o.NewConnShare, "new", 0.3, "share of requests on a connection of their own, 0 to 1")
	fs.DurationVar(&o.Timeout, "timeout", load.DefaultTimeout, "time for one request")
	fs.DurationVar(&o.Slow, "slow", 0, "time after which an answer is bad in the ledger of versions (0: never)")
	fs.DurationVar(&o.MaxDuration, "duration", 0, "time to send for, at most an hour (required)")
	fs.Int64Var(&o.MaxRequests, "requests", 0, "requests to send at most (0: no limit)")
	fs.Uint64Var(&o.Seed, "seed", uint64(time.Now().UnixNano()), "seed of the random choices (default: the time)")
	fs.StringVar(&cfg.control, "control", "", "Unix `SOCKET` that answers POST /mark?name=, GET /window?name=, POST /stop")
	fs.StringVar(&format, "o", "text", "`FORMAT` of the report: text or json")
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(out, usage)
			fs.SetOutput(out)
			fs.PrintDefaults()
		}
		return config{}, err
	}
	if fs.NArg() > 0 {
		return config{}, fmt.Errorf("unexpected argument %q: everything is given by flags", fs.Arg(0))
	}
	var err error
	if cfg.print, err = printer(format); err != nil {
		return config{}, err
	}
	o.Targets, err = targets(urls, cohorts, load.Target{Host: host, VersionHeader: versionHeader})
	return cfg, err
}

// targets combines every URL with every cohort.
func targets(urls, cohorts []string, common load.Target) ([]load.Target, error) {
	if len(urls) == 0 {
		return nil, errors.New("--url: at least one is required")
	}
	if len(cohorts) == 0 {
		cohorts = []string{"all"}
	}
	var out []load.Target
	for _, text := range cohorts {
		fields := strings.Split(text, ":")
		headers := map[string]string{}
		for _, field := range fields[1:] {
			name, value, ok := strings.Cut(field, "=")
			if !ok || name == "" {
				return nil, fmt.Errorf("--cohort %q: want NAME or NAME:HEADER=VALUE", text)
			}
			headers[name] = value
		}
		if fields[0] == "" {
			return nil, fmt.Errorf("--cohort %q: the name is empty", text)
		}
		for _, url := range urls {
			target := common
			target.Name, target.URL, target.Headers = fields[0], url, headers
			out = append(out, target)
		}
	}
	return out, nil
}
