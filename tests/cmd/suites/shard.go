package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
)

// partsPerShard is how many parts of the tests each process runs on average, one
// after the other. More of them spread long tests better, but each part is linked
// anew and brings up a sandbox of its own.
const partsPerShard = 3

// shards runs the tests of one package as several processes side by side, each
// with a sandbox of its own: the cases of a rollout spend most of their time
// waiting. One that has ended goes on with the next part, so that none is idle for
// long while another has the longest cases left.
func (r *runner) shards(ctx context.Context, s step, log io.Writer, show *progress, result *outcome) error {
	names, err := r.list(ctx, s)
	if err != nil {
		return err
	}
	commands, err := r.commands(ctx, s)
	if err != nil {
		return err
	}
	parts := split(names, s.shards*partsPerShard)
	sum := &sharedCounts{base: result.counts, show: show, parts: make([]counts, len(parts))}
	outcomes := make([]outcome, len(parts))
	errs := make([]error, len(parts))
	waiting := make(chan int, len(parts))
	for i := range parts {
		waiting <- i
	}
	close(waiting)
	var running sync.WaitGroup
	for range s.shards {
		running.Go(func() {
			for i := range waiting {
				args := append(slices.Clone(commands[0]), "-run", "^("+strings.Join(parts[i], "|")+")$")
				errs[i] = r.one(ctx, s, args, log, sum.of(i), &outcomes[i])
			}
		})
	}
	running.Wait()
	for _, o := range outcomes {
		result.join(o)
	}
	return errors.Join(errs...)
}

// list returns the names of a package's tests, in their order.
func (r *runner) list(ctx context.Context, s step) ([]string, error) {
	out, err := r.command(ctx, s.dir, append([]string{"go", "test", "-list", "^Test"}, s.args...)).Output()
	if err != nil {
		return nil, fmt.Errorf("listing the tests in %s: %w%s", s.dir, err, stderrOf(err))
	}
	var names []string
	for line := range strings.Lines(string(out)) {
		if name := strings.TrimSpace(line); strings.HasPrefix(name, "Test") {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("listing the tests in %s: %s has none", s.dir, strings.Join(s.args, " "))
	}
	return names, nil
}

// split deals names out to n parts, in turn, so that neighbours, which take
// about as long as each other, come to different ones.
func split(names []string, n int) [][]string {
	parts := make([][]string, min(n, len(names)))
	for i, name := range names {
		parts[i%len(parts)] = append(parts[i%len(parts)], name)
	}
	return parts
}

// sharedCounts shows the progress of all parts as one.
type sharedCounts struct {
	base counts
	show *progress

	mu    sync.Mutex
	parts []counts
}

// of returns what the part with an index tells its progress to.
func (c *sharedCounts) of(i int) teller {
	return tell(func(now counts, what string) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.parts[i] = now
		all := c.base
		for _, part := range c.parts {
			all.add(part)
		}
		c.show.at(all, what)
	})
}

// teller takes how far something is, and what it does.
type teller interface {
	at(now counts, what string)
}

// tell is a teller of one function.
type tell func(now counts, what string)

func (t tell) at(now counts, what string) { t(now, what) }
