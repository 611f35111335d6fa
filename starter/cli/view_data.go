package cli

import (
	"encoding/json"
	"fmt"
	"time"

	"sigs.k8s.io/yaml"

	"sluice.dev/sluice/starter/control"
)

// dataView prints every status as one line of JSON, or as one document of YAML.
type dataView struct{ app *app }

func (v *dataView) show(status control.Status) error {
	if v.app.format == formatJSON {
		return json.NewEncoder(v.app.host.Out).Encode(status)
	}
	data, err := yaml.Marshal(status)
	if err != nil {
		return fmt.Errorf("printing as YAML: %w", err)
	}
	_, err = fmt.Fprintf(v.app.host.Out, "---\n%s", data)
	return err
}

func (v *dataView) trouble(err error) error {
	v.app.warn(err.Error())
	return nil
}

func (v *dataView) tick() error { return nil }

func (v *dataView) interval() time.Duration { return time.Hour }
