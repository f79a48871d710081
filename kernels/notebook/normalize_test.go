package notebook

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func stdout(text string) Output { return Output{Kind: Stream, Name: "stdout", Text: text} }
func stderr(text string) Output { return Output{Kind: Stream, Name: "stderr", Text: text} }
func html(text string) Output {
	return Output{Kind: Display, Data: map[string]any{"text/html": text}}
}

func normalized(t *testing.T, outputs ...Output) []Output {
	t.Helper()
	clean, err := NewNormalizer("/srv/checkout").Outputs(map[int][]Output{4: outputs})
	require.NoError(t, err)
	return clean[4]
}

func TestStreamsAreJoinedAndStderrGoes(t *testing.T) {
	got := normalized(t, stdout("a\n"), stderr("I1124 10:00:00 noise"), stdout("b\n"), html("<p>"), stdout(" \n"), stdout("c"))
	require.Equal(t, []Output{stdout("a\nb\n"), html("<p>"), stdout(" \nc")}, got)
	require.Empty(t, normalized(t, stderr("only noise"), stdout(" \n")))
}

func TestOverwrittenLines(t *testing.T) {
	for text, want := range map[string]string{
		"10%\r20%\r100%\n":      "100%\n",
		"long line\rshort\n":    "shortline\n",
		"a\r\nb\r\n":            "a\nb\n",
		"no returns":            "no returns",
		"step 1\rstep 2":        "step 2",
		"äöü\rx":                "xöü",
		"\r\r":                  "",
		"done\r    \rfinal\nok": "finalok"[:5] + "\nok",
	} {
		require.Equal(t, want, overwrite(text), "%q", text)
	}
}

func TestKnownFoldersAndHost(t *testing.T) {
	host, err := os.Hostname()
	require.NoError(t, err)
	home, err := os.UserHomeDir()
	require.NoError(t, err)
	t.Setenv("HINDSIGHT_DATA", "/srv/sets")
	t.Setenv("TMPDIR", "/scratch")
	n := NewNormalizer("/srv/checkout", "/scratch/run-123")
	text := strings.Join([]string{
		"/srv/checkout/lib/optim/adam.go:3", "in /srv/checkout", "x/srv/checkouts", "/srv/sets/mnist",
		"/scratch/run-123/gonb_x/main.go", "https://example.org/home/user/x", "a/srv/checkout/b",
	}, "\n")
	clean, err := n.Outputs(map[int][]Output{0: {stdout(text)}})
	require.NoError(t, err)
	require.Equal(t, strings.Join([]string{
		"lib/optim/adam.go:3", "in .", "x/srv/checkouts", "$HINDSIGHT_DATA/mnist",
		"$TMPDIR/gonb_x/main.go", "https://example.org/home/user/x", "a/srv/checkout/b",
	}, "\n"), clean[0][0].Text)

	if len(host) > 3 && host != "localhost" {
		require.Equal(t, "on localhost.", normalized(t, stdout("on "+host+"."))[0].Text)
	}
	if len(home) > 1 {
		require.Equal(t, "~/data", normalized(t, stdout(filepath.Join(home, "data")))[0].Text)
	}
}

func TestWhatOnlyTheAuthorCanTakeOut(t *testing.T) {
	for text, want := range map[string]string{
		"trained at 2026-11-24 11:40":            `cell 5 prints the clock time "2026-11-24 11:40"`,
		"wrote /usr/share/x.bin":                 `cell 5 prints the absolute path "/usr/share"`,
		`<a href="/mnt/disk/x">`:                 `the absolute path "/mnt/disk"`,
		`saved (C:\data)`:                        `the absolute path "C:\\data"`,
		"took 3.2 s, 4 steps/s, see /x, 1/2/3\n": "",
		"published 2026-11-24":                   "",
	} {
		_, err := NewNormalizer("/srv/checkout").Outputs(map[int][]Output{4: {html(text)}})
		if want == "" {
			require.NoError(t, err, text)
		} else {
			require.ErrorContains(t, err, want, text)
		}
	}
}

func TestRandomNamesAreNumbered(t *testing.T) {
	got := normalized(t, html(`<input id="gonb_slider_1a2b3c4d"><p id="gonb_5e6f7a8b" data="/button/5e6f7a8b">`), html("gonb_slider_1a2b3c4d"))
	require.Equal(t, `<input id="gonb_slider_00000001"><p id="gonb_00000002" data="/button/00000002">`, got[0].Data["text/html"])
	require.Equal(t, "gonb_slider_00000001", got[1].Data["text/html"])
}

func TestPicturesAreLeftAlone(t *testing.T) {
	png := Output{Kind: Result, Data: map[string]any{"image/png": "/tmp/aGVsbG8="}, ExecutionCount: new(int)}
	got := normalized(t, png)
	require.Equal(t, "/tmp/aGVsbG8=", got[0].Data["image/png"])
	require.Nil(t, got[0].ExecutionCount)
}

func TestCheckSize(t *testing.T) {
	nb := read(t)
	file, err := nb.Recorded(map[int][]Output{2: {stdout(strings.Repeat("x", MaxSize))}})
	require.NoError(t, err)
	require.ErrorContains(t, CheckSize("02-diffgrad.ipynb", file), "02-diffgrad.ipynb would be 501 kB with its outputs, must be at most 500 kB; cell 3 alone makes 500 kB")
	require.NoError(t, CheckSize("x", file[:10]))
}
