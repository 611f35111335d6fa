// Package prom reads numbers from Prometheus: one value of a query, or the
// counters behind it. Whatever can be wrong with an answer is a defined Failure;
// nothing that is missing ever counts as a number.
package prom
