package cli

import (
	"encoding/json"
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"
)

// format is how a command prints its result.
type format string

// The formats.
const (
	formatTable format = "table"
	formatJSON  format = "json"
	formatYAML  format = "yaml"
)

// String returns the format, for the flag.
func (f *format) String() string { return string(*f) }

// Type names the flag's values in the help.
func (f *format) Type() string { return "FORMAT" }

// Set reads the flag.
func (f *format) Set(text string) error {
	switch v := format(strings.ToLower(text)); v {
	case formatTable, formatJSON, formatYAML:
		*f = v
		return nil
	}
	return fmt.Errorf("unknown format %q: write table, json or yaml", text)
}

// print prints a result: as data, or as the table that draw makes of it.
func (a *app) print(value any, draw func(*page)) error {
	switch a.format {
	case formatJSON:
		encoder := json.NewEncoder(a.host.Out)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		return encoder.Encode(value)
	case formatYAML:
		data, err := yaml.Marshal(value)
		if err != nil {
			return fmt.Errorf("printing as YAML: %w", err)
		}
		_, err = a.host.Out.Write(data)
		return err
	case formatTable:
	}
	p := a.page()
	draw(p)
	_, err := fmt.Fprint(a.host.Out, p.String())
	return err
}

// warn prints warnings where they disturb no output.
func (a *app) warn(warnings ...string) {
	for _, text := range warnings {
		fmt.Fprintf(a.host.Err, "sluice: warning: %s\n", clean(text))
	}
}

// maxWidth of everything that is drawn.
const maxWidth = 80

// page returns an empty page that fits the output.
func (a *app) page() *page {
	p := &page{width: maxWidth}
	if width, _, ok := a.terminal(); ok {
		p.width = min(maxWidth, width)
		_, plain := a.host.Env("NO_COLOR")
		p.colour = !plain
	}
	return p
}

// terminal returns the size of the terminal, if control codes may be sent to it.
func (a *app) terminal() (width, height int, ok bool) {
	if term, _ := a.host.Env("TERM"); term == "dumb" {
		return 0, 0, false
	}
	return a.host.Terminal()
}
