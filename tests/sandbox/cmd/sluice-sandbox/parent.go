package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"
)

// lookEvery is the pause between two looks at who the parent is.
const lookEvery = 500 * time.Millisecond

// withGoRun returns a context that ends when `go run`, if that is what started
// this program, is gone: a person who killed it means this program.
func withGoRun(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	parent := os.Getppid()
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", parent))
	if err != nil || strings.TrimSpace(string(name)) != "go" {
		return ctx, cancel
	}
	go func() {
		ticker := time.NewTicker(lookEvery)
		defer ticker.Stop()
		for os.Getppid() == parent {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
		cancel()
	}()
	return ctx, cancel
}
