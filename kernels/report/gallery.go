package report

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/hindsight-go/hindsight/kernels/notebook"
)

//go:embed gallery.html
var galleryHTML string

var galleryTemplate = template.Must(template.New("gallery").Funcs(template.FuncMap{
	"seconds": func(s float64) string { return fmt.Sprintf("%.1f s", s) },
	"lines":   func(lines []string) string { return strings.Join(lines, "\n") },
}).Parse(galleryHTML))

// maxFigures is how many figures of one notebook the gallery shows.
const maxFigures = 12

type card struct {
	Notebook
	Figures []template.URL
}

// Gallery is the run as one HTML page that needs no other file and no
// JavaScript: a card for each notebook with its verdict, its figures as pictures
// and its claims. Figures come from the executed notebooks below folder, where
// the report will lie; one that is not there leaves its card without pictures.
func Gallery(r *Report, folder string) ([]byte, error) {
	var cards []card
	for _, n := range r.Notebooks {
		c := card{Notebook: n}
		if n.Output != "" {
			if nb, err := notebook.Read(filepath.Join(folder, n.Output)); err == nil {
				c.Figures = figures(nb.Outputs())
			}
		}
		cards = append(cards, c)
	}
	var page bytes.Buffer
	err := galleryTemplate.Execute(&page, struct {
		*Report
		Cards []card
	}{r, cards})
	return page.Bytes(), err
}

// figures returns pictures as data addresses. A browser runs no script in a
// picture, so what a notebook drew cannot act in the page.
func figures(outputs []notebook.Output) []template.URL {
	var found []template.URL
	for _, o := range outputs {
		if picture, ok := picture(o.Data); ok {
			found = append(found, picture)
		}
		if len(found) == maxFigures {
			break
		}
	}
	return found
}

// GoNB shows an SVG within HTML.
var inlineSVG = regexp.MustCompile(`(?s)<svg[\s>].*</svg>`)

func picture(data map[string]any) (template.URL, bool) {
	address := func(mime, base64 string) (template.URL, bool) {
		return template.URL("data:" + mime + ";base64," + base64), true
	}
	svg, ok := data["image/svg+xml"].(string)
	if !ok {
		page, _ := data["text/html"].(string)
		svg = inlineSVG.FindString(page)
	}
	if svg != "" {
		if !strings.Contains(svg, "xmlns=") { // which only HTML can do without
			svg = strings.Replace(svg, "<svg", `<svg xmlns="http://www.w3.org/2000/svg"`, 1)
		}
		return address("image/svg+xml", base64.StdEncoding.EncodeToString([]byte(svg)))
	}
	for _, mime := range []string{"image/png", "image/jpeg"} {
		text, ok := data[mime].(string)
		text = strings.Join(strings.Fields(text), "")
		if _, err := base64.StdEncoding.DecodeString(text); ok && err == nil {
			return address(mime, text)
		}
	}
	return "", false
}
