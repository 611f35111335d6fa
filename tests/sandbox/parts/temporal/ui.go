package main

import (
	"fmt"
	"net"
	"time"

	uiserver "github.com/temporalio/ui-server/v2/server"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	uioptions "github.com/temporalio/ui-server/v2/server/server_options"
)

// stopper is the part of the Web UI that is needed once it runs.
type stopper interface{ Stop() }

type noUI struct{}

func (noUI) Stop() {}

// startUI serves the Web UI in the background, if an address was given for it.
// That the address is free was seen to by [checkAddresses].
func startUI(opts options) (stopper, error) {
	if !opts.ui.IsValid() {
		return noUI{}, nil
	}
	ui := uiserver.NewServer(uioptions.WithConfigProvider(&uiconfig.Config{
		Host:                opts.ui.Addr().String(),
		Port:                int(opts.ui.Port()),
		TemporalGRPCAddress: dialable(opts.grpc),
		EnableUI:            true,
		DefaultNamespace:    opts.namespaces[0],
		DisableNewsFetch:    true,
		HideLogs:            true,
		// The UI is plain HTTP: a browser does not send a secure cookie back.
		CORS: uiconfig.CORS{CookieInsecure: true},
	}))
	go func() { _ = ui.Start() }() // a failure to listen ends the process
	return ui, awaitListening(opts.ui.String())
}

func awaitListening(addr string) error {
	var err error
	for range 100 {
		var conn net.Conn
		if conn, err = net.DialTimeout("tcp", addr, time.Second); err == nil {
			return conn.Close()
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Errorf("waiting for the Web UI at %s: %w", addr, err)
}
