package layout

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// State is what a sandbox writes about itself while it runs.
type State struct {
	Name string `json:"name"`
	Dir  Dir    `json:"dir"`
	// Process is the outer process; when it ends, the sandbox ends.
	Process Process   `json:"process"`
	Started time.Time `json:"started"`
	// Outside is how the sandbox is reached from the machine that it runs on.
	Outside Addresses `json:"outside"`
	// Inside is how it is reached by commands that run inside it.
	Inside Addresses `json:"inside"`
	// Gateways lists the addresses of the gateway's replicas, inside only.
	Gateways []string `json:"gateways,omitempty"`
	// Ports are the ports on 127.0.0.1, by the forward's name. The next start
	// takes the same ones if they are free.
	Ports map[string]int `json:"ports,omitempty"`
}

// Addresses is how the services of a sandbox are reached from one side.
type Addresses struct {
	Kubeconfig string `json:"kubeconfig,omitempty"`
	APIServer  string `json:"apiserver,omitempty"`
	GatewayURL string `json:"gatewayURL,omitempty"`
	// GatewayAPI is the gateway's own state API.
	GatewayAPI    string `json:"gatewayAPI,omitempty"`
	Temporal      string `json:"temporalAddress,omitempty"`
	TemporalUI    string `json:"temporalUI,omitempty"`
	PrometheusURL string `json:"prometheusURL,omitempty"`
}

// WriteState stores the state of the sandbox in its folder.
func (d Dir) WriteState(state State) error {
	return d.WriteJSON(d.State(), state)
}

// ReadState returns what the sandbox that runs, or ran last, in the folder
// wrote about itself. The error wraps os.ErrNotExist if none ever did.
func (d Dir) ReadState() (State, error) {
	var state State
	if err := ReadJSON(d.State(), &state); err != nil {
		return State{}, fmt.Errorf("reading the sandbox's state: %w", err)
	}
	return state, nil
}

// WriteJSON writes a value to a file in one step, so that a reader never sees
// half of it.
func (d Dir) WriteJSON(path string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding %s: %w", filepath.Base(path), err)
	}
	return WriteFile(path, append(text, '\n'))
}

// WriteFile writes a file in one step, readable for the user alone.
func WriteFile(path string, text []byte) error {
	next := path + ".new"
	if err := os.WriteFile(next, text, 0o600); err != nil {
		return fmt.Errorf("writing %s: %w", filepath.Base(path), err)
	}
	if err := os.Rename(next, path); err != nil {
		return fmt.Errorf("writing %s: %w", filepath.Base(path), err)
	}
	return nil
}

// ReadJSON reads a file into value.
func ReadJSON(path string, value any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, value); err != nil {
		return fmt.Errorf("decoding %s: %w", path, err)
	}
	return nil
}
