package cli

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"
)

func TestWrap(t *testing.T) {
	cases := map[string]struct {
		text        string
		first, rest int
		want        []string
	}{
		"fits":               {"one two", 10, 10, []string{"one two"}},
		"between words":      {"one two three", 7, 10, []string{"one two", "three"}},
		"first line is less": {"one two three", 3, 9, []string{"one", "two three"}},
		"a long word":        {"abcdefgh ij", 4, 6, []string{"abcd", "efgh", "ij"}},
		"wide characters":    {"第一步等待", 4, 6, []string{"第一", "步等待"}},
		"nothing":            {"  ", 4, 4, nil},
		"no room":            {"第一", 0, -3, []string{"第", "一"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) { require.Equal(t, tc.want, wrap(tc.text, tc.first, tc.rest)) })
	}
}

func TestWrapQuery(t *testing.T) {
	cases := map[string]struct {
		query string
		want  []string
	}{
		"fits":                  {`up{a="b"}`, []string{`up{a="b"}`}},
		"after a comma":         {`sum(up{pod=~"web-.*",code="5.."})`, []string{`sum(up{pod=~"web-.*",`, `code="5.."})`}},
		"never inside of texts": {`up{a="b, c (d)",b='e, f"'}`, []string{`up{a="b, c (d)",`, `b='e, f"'}`}},
		"quotes in texts":       {`up{a="b\"c, d",e="f\\",g="h"}`, []string{`up{a="b\"c, d",`, `e="f\\",g="h"}`}},
		"a text that is long":   {`up{a="bcdefghijklmnopqrstuvwxyz0123"}`, []string{"up{", `a="bcdefghijklmnopqrst`, `uvwxyz0123"}`}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := wrapQuery(tc.query, 22, 22)
			require.Equal(t, tc.want, got)
			require.Equal(t, tc.query, strings.Join(got, ""))
		})
	}
}

// TestTextFits tries texts of all kinds of characters, at all widths.
func TestTextFits(t *testing.T) {
	alphabet := []string{"a", "word", " ", "  ", "\n", "第", "一步", "👩\u200d👩\u200d👧", "e\u0301", "\x1b[2J", "\u202e", "\a", "…", "ﾊ", "🇨🇳", "\xff", "\u200b"}
	random := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		var raw strings.Builder
		for range random.IntN(40) {
			raw.WriteString(alphabet[random.IntN(len(alphabet))])
		}
		text, width := clean(raw.String()), 2+random.IntN(30)
		for _, r := range text {
			require.True(t, r == ' ' || unicode.IsPrint(r), "%q may change the terminal", r)
		}
		require.LessOrEqual(t, columns.StringWidth(truncate(text, width)), width)
		lines := wrap(text, width, width)
		require.Equal(t, strings.Join(strings.Fields(text), ""), strings.ReplaceAll(strings.Join(lines, ""), " ", ""), "no character is lost")
		for _, line := range lines {
			require.LessOrEqual(t, columns.StringWidth(line), width, "%q", line)
		}
	}
}

func TestBar(t *testing.T) {
	require.Equal(t, "[#####+++++----------]", bar(25, 50, 20))
	require.Equal(t, "[##########]", bar(100, 10, 10), "what is confirmed beyond what is asked is still there")
	require.Equal(t, "[----------]", bar(-1, 0, 10))
	require.Equal(t, "[##########]", bar(200, 300, 10))
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		10 * time.Minute: "10m", time.Hour: "1h", 90 * time.Second: "1m30s", 10 * time.Second: "10s", 0: "0s", time.Hour + time.Second: "1h0m1s",
	} {
		require.Equal(t, want, short(d))
	}
}

func TestClock(t *testing.T) {
	zone := time.FixedZone("CST", 8*3600)
	require.Equal(t, "20:00:00", clock(now, now.In(zone)), "the reader's time zone")
	require.Equal(t, "03-01 12:00", clock(now, now.Add(24*time.Hour)))
	require.Equal(t, "03-01 12:00", clock(now, now.AddDate(1, 0, 0)))
}
