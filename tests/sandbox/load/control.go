package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Serve lets others mark and read a run over HTTP on l, usually a Unix socket,
// until ctx ends; who has asked by then is still answered. All answers are JSON:
//
//	POST /mark?name=NAME    the Window that ends with this mark
//	GET  /window?name=NAME  the Window since a mark; the whole run without a name
//	POST /stop              the Report, once every request has finished
//
// See [Dial] for a client.
func (r *Runner) Serve(ctx context.Context, l net.Listener) error {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /mark", func(w http.ResponseWriter, q *http.Request) {
		window, err := r.Mark(q.FormValue("name"))
		respond(w, window, err)
	})
	mux.HandleFunc("GET /window", func(w http.ResponseWriter, q *http.Request) {
		window, err := r.Window(q.FormValue("name"))
		respond(w, window, err)
	})
	mux.HandleFunc("POST /stop", func(w http.ResponseWriter, _ *http.Request) {
		respond(w, r.Stop(), nil)
	})
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		last, cancel := context.WithTimeout(context.Background(), goodbye)
		defer cancel()
		stopped <- srv.Shutdown(last)
	})
	defer stop()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving the control of a load run: %w", err)
	}
	return <-stopped
}

// goodbye bounds the wait for those who have asked when a server ends.
const goodbye = 2 * time.Second

func respond(w http.ResponseWriter, v any, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // who asked is gone
}

// Control talks to a run in another process, through its Unix socket.
type Control struct {
	client http.Client
}

// Dial returns a Control for a socket. It fails when nobody answers there.
func Dial(socket string) (*Control, error) {
	c := &Control{client: http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if _, err := c.Window(ctx, ""); err != nil {
		return nil, fmt.Errorf("dialling load run at %s: %w", socket, err)
	}
	return c, nil
}

// Mark is [Runner.Mark].
func (c *Control) Mark(ctx context.Context, name string) (Window, error) {
	var w Window
	err := c.call(ctx, http.MethodPost, "mark", name, &w)
	return w, err
}

// Window is [Runner.Window].
func (c *Control) Window(ctx context.Context, name string) (Window, error) {
	var w Window
	err := c.call(ctx, http.MethodGet, "window", name, &w)
	return w, err
}

// Stop is [Runner.Stop]; the process that runs the load ends after it.
func (c *Control) Stop(ctx context.Context) (Report, error) {
	var r Report
	err := c.call(ctx, http.MethodPost, "stop", "", &r)
	return r, err
}

// Close gives up the connections to the run, which goes on.
func (c *Control) Close() { c.client.CloseIdleConnections() }

func (c *Control) call(ctx context.Context, method, verb, name string, into any) error {
	target := "http://load/" + verb + "?" + url.Values{"name": {name}}.Encode()
	req, err := http.NewRequestWithContext(ctx, method, target, nil)
	if err != nil {
		return err
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return fmt.Errorf("asking the load run to %s: %w", verb, err)
	}
	defer resp.Body.Close() //nolint:errcheck // read to the end or given up
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
		return fmt.Errorf("asking the load run to %s: %s", verb, text)
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		return fmt.Errorf("reading the answer to %s: %w", verb, err)
	}
	return nil
}
