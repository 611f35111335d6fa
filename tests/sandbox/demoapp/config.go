package main

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// What SIGTERM does.
const (
	termDie      = "die"
	termGraceful = "graceful"
	termIgnore   = "ignore"
)

// What NEVER_READY may be besides empty.
const (
	neverReadyProbe = "1"
	neverReadyCrash = "crash"
)

// config is what the environment says; main.go documents it.
type config struct {
	address, version, pod string

	failShare                       float64
	failHeader, failValue           string
	failFile                        string
	failAfter                       time.Duration
	latency, startDelay, crashAfter time.Duration
	latencyShare, burnCPU           float64
	holdMemory                      int // MiB
	neverReady, term                string
}

// readConfig reads the environment through getenv and returns all that is
// wrong with it at once.
func readConfig(getenv func(string) string) (config, error) {
	e := environment{getenv: getenv}
	c := config{
		address:      net.JoinHostPort(getenv("POD_IP"), first(getenv("PORT"), "8080")),
		version:      first(getenv("VERSION"), getenv("IMAGE_TAG"), "unknown"),
		pod:          first(getenv("HOSTNAME"), getenv("POD_IP")),
		failAfter:    e.duration("FAIL_AFTER"),
		failFile:     getenv("FAIL_FILE"),
		latency:      e.duration("LATENCY"),
		latencyShare: e.share("LATENCY_SHARE", 1),
		burnCPU:      e.share("BURN_CPU", 0),
		holdMemory:   e.mebibytes("HOLD_MEMORY"),
		startDelay:   e.duration("START_DELAY"),
		crashAfter:   e.duration("CRASH_AFTER"),
		neverReady:   e.oneOf("NEVER_READY", "", neverReadyProbe, neverReadyCrash),
	}
	if port, err := strconv.Atoi(first(getenv("PORT"), "8080")); err != nil || port < 1 || port > 65535 {
		e.wrong("PORT", "a number from 1 to 65535")
	}
	c.failHeader, c.failValue = e.header("FAIL_HEADER")
	failing := 0.0
	if c.failHeader != "" {
		failing = 1
	}
	c.failShare = e.share("FAIL_SHARE", failing)
	c.term = termDie
	if term := getenv("TERM"); getenv("POD_IP") != "" || term == termGraceful || term == termIgnore {
		c.term = e.oneOf("TERM", termDie, termGraceful, termIgnore)
	}
	return c, errors.Join(e.errs...)
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// environment reads typed variables and collects what is wrong with them.
type environment struct {
	getenv func(string) string
	errs   []error
}

func (e *environment) wrong(name, want string) {
	e.errs = append(e.errs, fmt.Errorf("reading %s: it is %q; want %s", name, e.getenv(name), want))
}

func (e *environment) duration(name string) time.Duration {
	text := e.getenv(name)
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		e.wrong(name, "a duration such as 250ms or 10s")
	}
	return d
}

func (e *environment) share(name string, missing float64) float64 {
	text := e.getenv(name)
	if text == "" {
		return missing
	}
	share, err := strconv.ParseFloat(text, 64)
	// Written so that it also refuses what is not a number.
	if err != nil || !(share >= 0 && share <= 1) {
		e.wrong(name, "a share from 0 to 1, such as 0.2")
	}
	return share
}

func (e *environment) mebibytes(name string) int {
	text := e.getenv(name)
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 1024 {
		e.wrong(name, "a number of MiB from 0 to 1024")
	}
	return n
}

// oneOf returns the variable's value, or the first of allowed when it is empty.
func (e *environment) oneOf(name string, allowed ...string) string {
	text := first(e.getenv(name), allowed[0])
	for _, a := range allowed {
		if text == a {
			return text
		}
	}
	e.wrong(name, "one of: "+strings.TrimPrefix(strings.Join(allowed, ", "), ", "))
	return allowed[0]
}

func (e *environment) header(name string) (header, value string) {
	text := e.getenv(name)
	if text == "" {
		return "", ""
	}
	header, value, found := strings.Cut(text, ":")
	header, value = strings.TrimSpace(header), strings.TrimSpace(value)
	if !found || header == "" || value == "" {
		e.wrong(name, "name:value, such as user-agent:android")
	}
	return header, value
}
