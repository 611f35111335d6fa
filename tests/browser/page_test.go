package browser

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// page is a page of the browser, used as a person does: by what is visible, with
// mouse and keys.
type page struct {
	t        *testing.T
	ctx      context.Context
	pictures string
}

const (
	// patience bounds the wait for anything on the page; a busy machine takes
	// ten seconds and more to draw one.
	patience = 90 * time.Second
	// glance is how often the page is looked at meanwhile.
	glance = 250 * time.Millisecond
)

// await looks at the page until a condition holds, and keeps a picture if it
// never does.
func (p *page) await(what string, condition func(context.Context) (bool, error)) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	var last error
	for {
		ok, err := condition(ctx)
		if ok && err == nil {
			return
		}
		if err != nil && ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			text, _ := p.text(p.ctx)
			p.t.Logf("the page shows: %s", text)
			p.picture("failed")
			require.NoError(p.t, errors.Join(ctx.Err(), last), "waiting until %s", what)
		case <-time.After(glance):
		}
	}
}

// open goes to an address.
func (p *page) open(url string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	require.NoError(p.t, chromedp.Do(ctx, chromedp.Navigate(url)), "opening %s", url)
}

// visibleText collects what can be read: the document, the text of drawings, and
// the frames in which the UI shows Markdown.
const visibleText = `(() => {
	const seen = e => e.checkVisibility({opacityProperty: true, visibilityProperty: true});
	const all = css => [...document.querySelectorAll(css)].filter(seen);
	return [
		document.body.innerText,
		...all("svg text").map(e => e.textContent),
		...all("iframe").map(e => e.contentDocument?.body?.innerText ?? ""),
	].join("\n");
})()`

// text returns what can be read on the page, on one line.
func (p *page) text(ctx context.Context) (string, error) {
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](visibleText))
	if err != nil {
		return "", fmt.Errorf("reading the page: %w", err)
	}
	return oneLine(text), nil
}

// straight undoes what Markdown makes of quotation marks.
var straight = strings.NewReplacer("“", `"`, "”", `"`, "‘", "'", "’", "'")

// oneLine makes texts comparable that are broken into lines differently, and
// whose quotation marks are drawn differently.
func oneLine(text string) string {
	return straight.Replace(strings.Join(strings.Fields(text), " "))
}

// see waits until all texts can be read on the page. Before each look it presses
// keys, if any.
func (p *page) see(keys string, texts ...string) {
	p.t.Helper()
	p.await("the page shows all that it should", func(ctx context.Context) (bool, error) {
		if keys != "" {
			if err := chromedp.Do(ctx, chromedp.KeyEvent(keys)); err != nil {
				return false, fmt.Errorf("pressing %s: %w", keys, err)
			}
		}
		text, err := p.text(ctx)
		if err != nil {
			return false, err
		}
		for _, want := range texts {
			if !strings.Contains(text, oneLine(want)) {
				return false, fmt.Errorf("%q cannot be read on the page", want)
			}
		}
		return true, nil
	})
}

// find returns the middle of the first element that is visible, may be used, is
// covered by nothing, and begins with a line of text ("" is any). The page will
// remember whether that element was clicked.
const find = `((css, text) => {
	window.clicked = false;
	for (const e of document.querySelectorAll(css)) {
		if (!e.checkVisibility({opacityProperty: true, visibilityProperty: true}) || e.disabled) continue;
		if (text && e.innerText.trim().split("\n")[0].trim() !== text) continue;
		e.scrollIntoView({block: "nearest"});
		const box = e.getBoundingClientRect();
		const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
		if (!e.contains(document.elementFromPoint(x, y))) continue;
		e.addEventListener("click", () => window.clicked = true, {once: true, capture: true});
		return [x, y];
	}
	return [];
})(%q, %q)`

// locate returns a look for an element that can be clicked. A look returns its
// middle if it is where it was at the look before, else nil: while a page is
// being drawn, things move.
func (p *page) locate(css, text string) func(context.Context) ([]float64, error) {
	var last []float64
	return func(ctx context.Context) ([]float64, error) {
		at, err := chromedp.Run(ctx, chromedp.Evaluate[[]float64](fmt.Sprintf(find, css, text)))
		if err != nil || len(at) != 2 || !slices.Equal(at, last) {
			last = at
			return nil, err
		}
		return at, nil
	}
}

// offered waits until an element can be clicked.
func (p *page) offered(css, text string) {
	p.t.Helper()
	look := p.locate(css, text)
	p.await(fmt.Sprintf("%s %q is offered", css, text), func(ctx context.Context) (bool, error) {
		at, err := look(ctx)
		return at != nil, err
	})
}

// click presses the mouse button in the middle of an element, again if it has
// moved away just before.
func (p *page) click(css, text string) {
	p.t.Helper()
	look := p.locate(css, text)
	p.await(fmt.Sprintf("%s %q is clicked", css, text), func(ctx context.Context) (bool, error) {
		at, err := look(ctx)
		if at == nil {
			return false, err
		}
		if err := chromedp.Do(ctx, chromedp.MouseClickXY(at[0], at[1])); err != nil {
			return false, fmt.Errorf("clicking: %w", err)
		}
		return chromedp.Run(ctx, chromedp.Evaluate[bool]("window.clicked"))
	})
}

// write types a text into an element, and sees that it stands there: editors of
// code add and skip brackets by themselves.
func (p *page) write(css, text string) {
	p.t.Helper()
	p.click(css, "")
	p.press(text)
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	written, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS(css)))
	require.NoError(p.t, err)
	require.Equal(p.t, text, strings.TrimSpace(written))
}

// press presses keys where the page expects them.
func (p *page) press(keys string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	require.NoError(p.t, chromedp.Do(ctx, chromedp.KeyEvent(keys)), "pressing %q", keys)
}

// gone waits until no element matches.
func (p *page) gone(css string) {
	p.t.Helper()
	p.await(css+" is gone", func(ctx context.Context) (bool, error) {
		n, err := chromedp.Run(ctx, chromedp.Evaluate[int](fmt.Sprintf("document.querySelectorAll(%q).length", css)))
		return err == nil && n == 0, err
	})
}

// picture keeps what the window shows as a PNG file.
func (p *page) picture(name string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	require.NoError(p.t, err)
	path := filepath.Join(p.pictures, name+".png")
	require.NoError(p.t, os.WriteFile(path, png, 0o600))
	p.t.Logf("picture: %s", path)
}
