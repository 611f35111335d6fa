package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
)

// options are the command line, checked.
type options struct {
	grpc       netip.AddrPort // where clients and workers connect
	ui         netip.AddrPort // where the Web UI is served; not valid: nowhere
	metrics    netip.AddrPort // where /metrics of this process are served; not valid: nowhere
	httpPort   int            // port of the server's HTTP API on grpc's address; 0: none
	db         string         // path of the SQLite file
	namespaces []string       // made on start when they do not exist
	attributes attributes     // registered in each of them
	logLevel   slog.Level
}

// attributes are search attributes by name.
type attributes map[string]enumspb.IndexedValueType

// parseOptions reads the command line. Its errors name the flag and say what
// the flag accepts; the usage goes to out.
func parseOptions(args []string, out io.Writer) (options, error) {
	opts := options{attributes: attributes{}, logLevel: slog.LevelWarn}
	fs := flag.NewFlagSet("sandbox-temporal", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // the caller prints the error, once
	grpc := fs.String("grpc", "127.0.0.1:7233", "`ADDR:PORT` for clients and workers")
	ui := fs.String("ui", "", "`ADDR:PORT` of the Web UI (default: no Web UI)")
	metrics := fs.String("metrics", "", "`ADDR:PORT` that serves /metrics about this process (default: none)")
	fs.IntVar(&opts.httpPort, "http-port", 0, "`PORT` of the HTTP API on the address of --grpc (0: none)")
	fs.StringVar(&opts.db, "db", "", "SQLite `FILE`, made if it does not exist (required)")
	fs.Func("namespace", "`NAME` of a namespace to make; may be repeated (default: default)", opts.addNamespace)
	fs.Func("search-attribute", "search attribute `NAME=TYPE` of each namespace; may be repeated", opts.attributes.add)
	fs.TextVar(&opts.logLevel, "log-level", opts.logLevel, "`LEVEL`: debug, info, warn or error")
	fs.Usage = func() {}
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(out, "usage: sandbox-temporal --db FILE [flags]")
			fs.SetOutput(out)
			fs.PrintDefaults()
		}
		return options{}, err
	}
	if fs.NArg() > 0 {
		return options{}, fmt.Errorf("unexpected argument %q: everything is given by flags", fs.Arg(0))
	}
	if len(opts.namespaces) == 0 {
		opts.namespaces = []string{"default"}
	}
	err := errors.Join(
		parseAddr("grpc", *grpc, &opts.grpc),
		parseAddr("ui", *ui, &opts.ui),
		parseAddr("metrics", *metrics, &opts.metrics),
		opts.check(),
	)
	if err != nil {
		return options{}, err
	}
	return opts, nil
}

func (o *options) check() error {
	var errs []error
	if o.db == "" {
		errs = append(errs, errors.New("--db: a file is required"))
	}
	if strings.ContainsAny(o.db, "?#%") {
		errs = append(errs, fmt.Errorf("--db %q: the path may not contain ?, # or %%, which SQLite reads as part of a URL", o.db))
	}
	if o.httpPort < 0 || o.httpPort > 65535 {
		errs = append(errs, fmt.Errorf("--http-port %d: not between 0 and 65535", o.httpPort))
	}
	return errors.Join(errs...)
}

func (o *options) addNamespace(name string) error {
	if name == "" || slices.Contains(o.namespaces, name) {
		return errors.New("give each namespace one name")
	}
	o.namespaces = append(o.namespaces, name)
	return nil
}

func (a attributes) add(text string) error {
	name, typeName, ok := strings.Cut(text, "=")
	if !ok || name == "" {
		return errors.New("want NAME=TYPE")
	}
	typ, err := enumspb.IndexedValueTypeFromString(typeName)
	if err != nil || typ == enumspb.INDEXED_VALUE_TYPE_UNSPECIFIED {
		return fmt.Errorf("type %q is not one of Text, Keyword, KeywordList, Int, Double, Bool, Datetime", typeName)
	}
	if _, ok := a[name]; ok {
		return errors.New("given twice")
	}
	a[name] = typ
	return nil
}

// parseAddr reads an address with a port; an empty text leaves to as it is.
func parseAddr(name, text string, to *netip.AddrPort) error {
	if text == "" {
		return nil
	}
	addr, err := netip.ParseAddrPort(text)
	if err != nil || addr.Port() == 0 || !addr.Addr().Is4() {
		return fmt.Errorf("--%s %q: want an IPv4 address and a port between 1 and 65535, such as 127.0.0.1:7233", name, text)
	}
	*to = addr
	return nil
}
