// Package load is the client that shows whether a release loses requests.
//
// It sends GET and POST requests, on kept and on new connections, for a bounded
// time and only to loopback and the sandbox's own addresses, and counts every
// one of them: answers per version, status codes, transport errors, the longest
// time without a good answer, and latencies.
//
// Counts are exact because nothing is ever sent twice. The transport of net/http
// quietly repeats a request without a body when the kept connection that it
// chose turns out to be dead, and it cannot be told not to; a client of this
// package therefore owns its connections, writes each request once, and counts
// what happens to it. A server that wants a kept connection to end has to say so
// with "Connection: close" in an answer; one that closes it without a word has
// lost the request that was on its way, and that is reported as an error.
//
// With a rate, every request has a time at which it is due, and latency counts
// from then, also when it could only be sent later because every client was
// still waiting for an answer.
package load
