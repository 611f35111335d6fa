package browser

import (
	"context"
	"errors"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// findChromium returns the browser. A machine without one fails the test: what
// this package shows would otherwise go unseen.
func findChromium() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("no Chromium on this machine: apt-get install chromium")
}

// The window is wide enough for the UI to show an event with its summary in one
// line, and high enough for the history of a rollout.
const windowWidth, windowHeight = 1720, 1700

// closing bounds how long the browser may take to end by itself.
const closing = 10 * time.Second

// openBrowser starts Chromium without a display, with a profile of its own that
// goes with it, and returns its one page.
func openBrowser(t *testing.T, path, pictures string) *page {
	t.Helper()
	// What the browser writes outside its profile goes with the test.
	home := t.TempDir()
	// The test's own context ends before the browser is closed in order.
	allocator, free := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(path),
		chromedp.Env("HOME="+home, "TMPDIR="+home, "XDG_CONFIG_HOME="+home, "XDG_CACHE_HOME="+home),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true),
		// The sandbox is all that this browser may find.
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
		chromedp.Flag("force-color-profile", "srgb"),
		chromedp.WindowSize(windowWidth, windowHeight),
	)
	t.Cleanup(free)
	ctx, _ := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		bounded, cancel := context.WithTimeout(ctx, closing)
		defer cancel()
		if err := chromedp.Cancel(bounded); err != nil {
			t.Logf("the browser did not end by itself and was killed: %v", err)
		}
	})
	require.NoError(t, chromedp.Do(ctx), "starting %s", path)
	return &page{t: t, ctx: ctx, pictures: pictures}
}
