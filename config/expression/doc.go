// Package expression checks and evaluates the languages in which a document says
// what is measured and what is good: PromQL with variables, and CEL.
package expression
