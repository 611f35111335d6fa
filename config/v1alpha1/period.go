package v1alpha1

import (
	"fmt"
	"strconv"
	"time"
)

// Period is a length of time, written as "90s" or as whole seconds.
type Period time.Duration

// MarshalText writes the period with its unit.
func (p Period) MarshalText() ([]byte, error) {
	return []byte(time.Duration(p).String()), nil
}

// UnmarshalText reads "1m30s" or "90"; anything else is an error. A sign is
// read too, so that validation can name the field of a negative period.
func (p *Period) UnmarshalText(text []byte) error {
	if seconds, err := strconv.ParseInt(string(text), 10, 32); err == nil {
		*p = Period(time.Duration(seconds) * time.Second)
		return nil
	}
	d, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("not a length of time: write a number with a unit, such as 90s, 5m or 1h30m")
	}
	*p = Period(d)
	return nil
}

// HoldMode is the kind of an explicit hold.
type HoldMode string

// The kinds of explicit holds.
const (
	HoldNone     HoldMode = "none"
	HoldApproval HoldMode = "approval"
	HoldTimed    HoldMode = "timed"
)

// Hold is an explicit hold, written as none, approval or a period.
type Hold struct {
	Mode     HoldMode
	Duration Period
}

// MarshalText writes the hold as UnmarshalText reads it.
func (h Hold) MarshalText() ([]byte, error) {
	if h.Mode == HoldTimed {
		return h.Duration.MarshalText()
	}
	return []byte(h.Mode), nil
}

// UnmarshalText reads "none", "approval" or a period.
func (h *Hold) UnmarshalText(text []byte) error {
	switch mode := HoldMode(text); mode {
	case HoldNone, HoldApproval:
		*h = Hold{Mode: mode}
		return nil
	}
	var d Period
	if err := d.UnmarshalText(text); err != nil {
		return fmt.Errorf("not a hold: write none, approval or a length of time such as 30s")
	}
	*h = Hold{Mode: HoldTimed, Duration: d}
	return nil
}
