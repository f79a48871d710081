package notebook

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// MaxSize is how large a committed notebook may be, in bytes.
const MaxSize = 500_000

// Normalizer makes outputs fit to be committed: two runs of one notebook on two
// machines leave the same bytes where the numbers are the same.
//
// It drops stderr and execution counts, joins the pieces of stdout and keeps
// what a terminal would show of lines that were overwritten, numbers GoNB's
// random element names, and writes known folders and the host name in words.
// What is left of clock times and absolute paths is an error, because only the
// notebook's author can take it out.
type Normalizer struct {
	words []replacement
}

type replacement struct {
	pattern *regexp.Regexp
	with    string
}

// NewNormalizer knows the folders of this machine. Scratch folders are those
// that a run made for itself, beside the system's temporary one.
func NewNormalizer(root string, scratch ...string) *Normalizer {
	folders := map[string]string{root: ".", os.TempDir(): "$TMPDIR"}
	for _, folder := range scratch {
		folders[folder] = "$TMPDIR"
	}
	if home, err := os.UserHomeDir(); err == nil {
		folders[home] = "~"
		folders[filepath.Join(home, "go", "pkg", "mod")] = "$GOMODCACHE"
	}
	for name, variable := range map[string]string{"GOMODCACHE": "$GOMODCACHE", "GOROOT": "$GOROOT", "HINDSIGHT_DATA": "$HINDSIGHT_DATA"} {
		for _, folder := range filepath.SplitList(os.Getenv(name)) {
			folders[folder] = variable
		}
	}
	n := &Normalizer{}
	// The longest first: a module cache lies below a home folder.
	names := slices.SortedFunc(maps.Keys(folders), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), strings.Compare(a, b))
	})
	for _, folder := range names {
		if len(folder) < 2 {
			continue
		}
		quoted, with := regexp.QuoteMeta(folder), strings.ReplaceAll(folders[folder], "$", "$$")
		if folders[folder] == "." {
			n.words = append(n.words, replacement{regexp.MustCompile(`(^|[^\w./-])` + quoted + `/(\w)`), "${1}${2}"})
		}
		n.words = append(n.words, replacement{regexp.MustCompile(`(^|[^\w./-])` + quoted + `(/|[^\w-]|$)`), "${1}" + with + "${2}"})
	}
	if host, err := os.Hostname(); err == nil && len(host) > 3 && host != "localhost" {
		n.words = append(n.words, replacement{regexp.MustCompile(`\b` + regexp.QuoteMeta(host) + `\b`), "localhost"})
	}
	return n
}

var (
	randomName = regexp.MustCompile(`(\bgonb_\w*?|/(?:select|button|inner_html)/)([0-9a-f]{8})\b`)
	clockTime  = regexp.MustCompile(`\b20\d\d[-/]\d\d[-/]\d\d[T ]\d\d:\d\d`)
	// Folders that hold other things on another machine. A path after a scheme
	// (https://…) or within a word is none.
	absolutePath = regexp.MustCompile(`(?:^|[\s"'(=,])((?:/(?:home|root|Users|tmp|var|mnt|media|opt|usr|private|srv)/|[A-Z]:\\)[\w.+@-]+)`)
)

// Outputs returns the normalized outputs of one notebook, by index of the cell.
func (n *Normalizer) Outputs(raw map[int][]Output) (map[int][]Output, error) {
	names := map[string]string{}
	clean := map[int][]Output{}
	for _, i := range slices.Sorted(maps.Keys(raw)) {
		outputs := joinStreams(raw[i])
		for k, o := range outputs {
			o.ExecutionCount = nil
			var err error
			tidy := func(text string) string {
				text = n.tidy(text, names)
				if found := clockTime.FindString(text); found != "" && err == nil {
					err = fmt.Errorf("cell %d prints the clock time %q, which differs in every run; take it out", i+1, found)
				}
				if found := absolutePath.FindStringSubmatch(text); found != nil && err == nil {
					err = fmt.Errorf("cell %d prints the absolute path %q, which differs on every machine; take it out", i+1, found[1])
				}
				return text
			}
			o.Text = tidy(o.Text)
			if o.Data != nil {
				o.Data = tidyValue(o.Data, tidy).(map[string]any)
			}
			if err != nil {
				return nil, err
			}
			outputs[k] = o
		}
		if len(outputs) > 0 {
			clean[i] = outputs
		}
	}
	return clean, nil
}

func (n *Normalizer) tidy(text string, names map[string]string) string {
	for _, w := range n.words {
		text = w.pattern.ReplaceAllString(text, w.with)
	}
	return randomName.ReplaceAllStringFunc(text, func(name string) string {
		parts := randomName.FindStringSubmatch(name)
		if names[parts[2]] == "" {
			names[parts[2]] = fmt.Sprintf("%08d", len(names)+1)
		}
		return parts[1] + names[parts[2]]
	})
}

// tidyValue applies tidy to all texts of decoded JSON; pictures in base64 are
// left as they are.
func tidyValue(value any, tidy func(string) string) any {
	switch v := value.(type) {
	case string:
		return tidy(v)
	case []any:
		clean := make([]any, len(v))
		for i := range v {
			clean[i] = tidyValue(v[i], tidy)
		}
		return clean
	case map[string]any:
		clean := make(map[string]any, len(v))
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if strings.HasPrefix(key, "image/") && key != "image/svg+xml" {
				clean[key] = v[key]
				continue
			}
			clean[key] = tidyValue(v[key], tidy)
		}
		return clean
	}
	return value
}

// joinStreams drops stderr, and makes one output of each run of stdout.
func joinStreams(outputs []Output) []Output {
	var kept []Output
	for _, o := range outputs {
		switch last := len(kept) - 1; {
		case o.Kind == Stream && o.Name != "stdout":
		case o.Kind == Stream && last >= 0 && kept[last].Kind == Stream:
			kept[last].Text += o.Text
		default:
			kept = append(kept, o)
		}
	}
	for i := range kept {
		if kept[i].Kind == Stream {
			kept[i].Text = overwrite(kept[i].Text)
		}
	}
	return slices.DeleteFunc(kept, func(o Output) bool { return o.Kind == Stream && strings.TrimSpace(o.Text) == "" })
}

// overwrite returns what a terminal shows of text with carriage returns.
func overwrite(text string) string {
	if !strings.ContainsAny(text, "\r") {
		return text
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		body, newline := strings.CutSuffix(line, "\n")
		var shown []rune
		for part := range strings.SplitSeq(strings.TrimRight(body, "\r"), "\r") {
			runes := []rune(part)
			if len(runes) < len(shown) {
				runes = append(runes, shown[len(runes):]...)
			}
			shown = runes
		}
		b.WriteString(string(shown))
		if newline {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// CheckSize returns an error that names the largest cell where a file that is
// to be committed is too large.
func CheckSize(name string, file []byte) error {
	if len(file) <= MaxSize {
		return nil
	}
	nb, err := Parse(file)
	if err != nil {
		return err
	}
	largest, size := 0, 0
	for i, c := range nb.Cells {
		if raw, err := encode(c.Outputs); err == nil && len(raw) > size {
			largest, size = i, len(raw)
		}
	}
	return fmt.Errorf("%s would be %d kB with its outputs, must be at most %d kB; cell %d alone makes %d kB: draw fewer points or a compressed PNG",
		name, len(file)/1000, MaxSize/1000, largest+1, size/1000)
}
