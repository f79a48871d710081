package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// section is one paper at one scale in the page of claims. Its head is kept in
// the page as a comment, so that a run of some notebooks leaves the others' rows.
type section struct {
	Paper string `json:"paper"`
	Scale string `json:"scale"`
	Title string `json:"title"`
	Hold  int    `json:"hold"`
	Fail  int    `json:"fail"`
	Skip  int    `json:"skipped"`

	body string
}

var sectionPattern = regexp.MustCompile(`(?s)<!-- record (\{.*?\}) -->\n(.*?)<!-- end -->\n`)

// Reproduction returns the page of all claims after a run: the sections of old,
// the page as it was ("" for none), with those of the run's notebooks put in
// their place. Sections of notebooks that exist no more go; keep lists the names
// of those that do.
func Reproduction(old string, run []Notebook, keep []string) (string, error) {
	sections, err := parseSections(old)
	if err != nil {
		return "", err
	}
	sections = slices.DeleteFunc(sections, func(s section) bool { return !slices.Contains(keep, s.Paper) })
	for _, n := range run {
		if len(n.Claims) == 0 {
			continue
		}
		s := newSection(n)
		sections = slices.DeleteFunc(sections, func(o section) bool { return o.Paper == s.Paper && o.Scale == s.Scale })
		sections = append(sections, s)
	}
	slices.SortFunc(sections, func(a, b section) int {
		if a.Paper != b.Paper {
			return strings.Compare(a.Paper, b.Paper)
		}
		return strings.Compare(b.Scale, a.Scale) // quick before paper
	})

	var page strings.Builder
	page.WriteString("# Reproduction\n\n" +
		"Which claims of the papers hold, as the notebooks measured them. `go run ./kernels run --all --record` writes this page:\n" +
		"do not edit it. Quick scale shrinks sizes, never methods or criteria; a claim that fails is shown as failing.\n\n" +
		"| paper | scale | claims | hold | fail | skipped |\n|---|---|---:|---:|---:|---:|\n")
	for _, s := range sections {
		fmt.Fprintf(&page, "| [%s](%s.ipynb) | %s | %d | %d | %d | %d |\n", escape(s.Title), s.Paper, s.Scale, s.Hold+s.Fail+s.Skip, s.Hold, s.Fail, s.Skip)
	}
	for _, s := range sections {
		head, err := json.Marshal(s) // escapes > as well, so the comment cannot end early
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&page, "\n<!-- record %s -->\n%s<!-- end -->\n", head, s.body)
	}
	return page.String(), nil
}

func parseSections(page string) ([]section, error) {
	var sections []section
	for _, match := range sectionPattern.FindAllStringSubmatch(page, -1) {
		s := section{body: match[2]}
		if err := json.Unmarshal([]byte(match[1]), &s); err != nil {
			return nil, fmt.Errorf("REPRODUCTION.md is damaged (%w); restore it from git or delete it and record all notebooks", err)
		}
		sections = append(sections, s)
	}
	return sections, nil
}

var verdictPattern = regexp.MustCompile(`<!-- verdict (\S+) -->.*?<!-- end -->`)

// Verdicts returns a text, such as the README, with the verdicts of the page of
// all claims, at quick scale, between its marks: <!-- verdict NAME --><!-- end -->,
// NAME being a notebook's without ".ipynb". What the page does not know stays.
func Verdicts(text, page string) (string, error) {
	sections, err := parseSections(page)
	if err != nil {
		return "", err
	}
	return verdictPattern.ReplaceAllStringFunc(text, func(mark string) string {
		name := verdictPattern.FindStringSubmatch(mark)[1]
		i := slices.IndexFunc(sections, func(s section) bool { return s.Paper == name && s.Scale == "quick" })
		if i < 0 {
			return mark
		}
		s := sections[i]
		verdict := fmt.Sprintf("%d of %d claims hold", s.Hold, s.Hold+s.Fail)
		if s.Skip > 0 {
			verdict += fmt.Sprintf(", %d skipped", s.Skip)
		}
		return fmt.Sprintf("<!-- verdict %s -->%s<!-- end -->", name, verdict)
	}), nil
}

func newSection(n Notebook) section {
	s := section{Paper: n.Name, Scale: n.Scale, Title: n.Title}
	if s.Title == "" {
		s.Title = n.Name
	}
	var body bytes.Buffer
	fmt.Fprintf(&body, "## %s, %s scale\n\n", escape(s.Title), s.Scale)
	body.WriteString("| id | claim | criterion | measured | spread | paper | verdict |\n|---|---|---|---:|---:|---:|---|\n")
	for _, c := range n.Claims {
		verdict := c.Verdict()
		switch verdict {
		case "holds":
			s.Hold++
		case "fails":
			s.Fail++
			verdict = "**fails**"
		default:
			s.Skip++
			verdict = "skipped: " + escape(c.Skipped)
		}
		cells := []string{c.ID, c.Claim, c.Criterion, c.Measured.Text(), c.Spread.Text(), c.Paper.Text()}
		for i := range cells {
			cells[i] = escape(cells[i])
		}
		fmt.Fprintf(&body, "| %s | %s |\n", strings.Join(cells, " | "), verdict)
	}
	s.body = body.String()
	return s
}

// escape keeps a text from being read as Markdown or HTML, and on one line.
var markdown = strings.NewReplacer("\\", "\\\\", "|", "\\|", "<", "&lt;", ">", "&gt;", "&", "&amp;", "*", "\\*", "_", "\\_", "`", "\\`", "[", "\\[", "]", "\\]", "$", "\\$", "#", "\\#", "~", "\\~")

func escape(text string) string { return markdown.Replace(strings.Join(strings.Fields(text), " ")) }
