package main

import (
	"os"
	"time"
)

// slice is how often the application looks at how long it has burnt.
const slice = 10 * time.Millisecond

// burn uses a share of one CPU until the process ends.
func burn(share float64) {
	if share <= 0 {
		return
	}
	busy := time.Duration(share * float64(slice))
	for range time.Tick(slice) {
		for began := time.Now(); time.Since(began) < busy; {
		}
	}
}

// held is memory that nobody uses.
var held []byte

// hold takes memory, and writes to every page so that it is really there.
func hold(mebibytes int) {
	held = make([]byte, mebibytes<<20)
	for at := 0; at < len(held); at += os.Getpagesize() {
		held[at] = 1
	}
}
