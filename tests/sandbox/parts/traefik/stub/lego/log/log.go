// Package log is where Traefik hands over its logger; nothing is written to it.
package log

// StdLogger has the methods of the standard library's logger.
type StdLogger interface {
	Fatal(args ...any)
	Fatalln(args ...any)
	Fatalf(format string, args ...any)
	Print(args ...any)
	Println(args ...any)
	Printf(format string, args ...any)
}

// Logger is set by Traefik when it starts.
var Logger StdLogger
