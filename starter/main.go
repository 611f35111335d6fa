// Command sluice starts rollouts and talks to them.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"sluice.dev/sluice/starter/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := cli.Run(ctx, cli.ProcessHost(), os.Args[1:])
	stop()
	os.Exit(code)
}
