package config

import (
	"fmt"
	"time"
)

// Duration is a time.Duration that reads and writes itself as text ("1m30s").
type Duration time.Duration

// MarshalText writes the duration as time.Duration does.
func (d Duration) MarshalText() ([]byte, error) {
	return []byte(time.Duration(d).String()), nil
}

// UnmarshalText reads a duration such as "90s"; anything else is an error.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is not a duration: write a number with a unit, such as 90s, 5m or 1h30m", text)
	}
	*d = Duration(parsed)
	return nil
}

// Std returns the duration as the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String writes the duration as time.Duration does.
func (d Duration) String() string { return time.Duration(d).String() }
