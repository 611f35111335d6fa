// Package verdict judges measurements: samples go in, a verdict of Pass, Fail,
// NoData or Error comes out, with the numbers that it rests on. It is pure:
// every state is a value that can be stored between two samples, so that whoever
// goes on with it comes to the same verdict.
//
// A metric is judged sample by sample against thresholds, against the stable
// side and by a condition; or by a sequential test of two error proportions,
// which may be looked at after every sample without raising its rate of false
// alarms. docs/verdict.md has the formulas and their sources.
package verdict
