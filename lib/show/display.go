package show

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/janpfeifer/gonb/gonbui"
	"github.com/janpfeifer/gonb/gonbui/protocol"

	"github.com/hindsight-go/hindsight/lib/claim"
)

// headless says that nobody looks on.
func headless() bool { return os.Getenv("HINDSIGHT_HEADLESS") == "1" }

// display sends one output bundle to the notebook.
func display(data map[protocol.MIMEType]any) {
	gonbui.SendData(&protocol.DisplayData{Data: data})
	gonbui.Sync()
}

// Draw shows a figure: in the notebook, or as the file NAME.svg whose path is printed.
func Draw(f Figure) error {
	svg, err := f.SVG()
	if err != nil {
		return err
	}
	if gonbui.IsNotebook {
		display(map[protocol.MIMEType]any{protocol.MIMEImageSVG: string(svg), protocol.MIMETextPlain: "figure: " + f.Title})
		return nil
	}
	name := f.Name
	if name == "" {
		name = "figure"
	}
	path, err := write(name+".svg", svg)
	if err != nil {
		return err
	}
	fmt.Println("figure:", path)
	return nil
}

// write puts a file into the folder for outputs, whole or not at all.
func write(name string, content []byte) (string, error) {
	dir := os.Getenv("HINDSIGHT_OUT")
	if dir == "" {
		dir = "out"
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("show: %w; set HINDSIGHT_OUT to a folder that can be written", err)
	}
	temp, err := os.CreateTemp(dir, "."+name+".*")
	if err != nil {
		return "", fmt.Errorf("show: %w; set HINDSIGHT_OUT to a folder that can be written", err)
	}
	defer func() { _ = os.Remove(temp.Name()) }()
	_, err = temp.Write(content)
	if closed := temp.Close(); err == nil {
		err = closed
	}
	path := filepath.Join(dir, name)
	if err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		return "", fmt.Errorf("show: writing %s: %w", path, err)
	}
	return path, nil
}

// Text shows a line or a paragraph, as it is.
func Text(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !gonbui.IsNotebook {
		fmt.Println(text)
		return
	}
	display(map[protocol.MIMEType]any{
		protocol.MIMETextHTML:  "<p>" + html.EscapeString(text) + "</p>",
		protocol.MIMETextPlain: text,
	})
}

// Table shows rows under a header. Cells are text: nothing in them is taken for HTML.
func Table(header []string, rows [][]string) {
	if !gonbui.IsNotebook {
		fmt.Print(textTable(header, rows))
		return
	}
	display(map[protocol.MIMEType]any{
		protocol.MIMETextHTML:  htmlTable(header, rows, nil),
		protocol.MIMETextPlain: textTable(header, rows),
	})
}

func textTable(header []string, rows [][]string) string {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(header, "\t"))
	for _, row := range rows {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	_ = w.Flush() // to a buffer
	return b.String()
}

// htmlTable escapes every cell; class, where given, styles the cell of a row and column.
func htmlTable(header []string, rows [][]string, class func(row, column int) string) string {
	var b strings.Builder
	b.WriteString(`<table style="border-collapse:collapse;font-size:90%"><thead><tr>`)
	for _, h := range header {
		fmt.Fprintf(&b, `<th style="text-align:left;padding:2px 10px;border-bottom:1px solid #999">%s</th>`, html.EscapeString(h))
	}
	b.WriteString("</tr></thead><tbody>")
	for i, row := range rows {
		b.WriteString("<tr>")
		for j, cell := range row {
			style := "text-align:left;padding:2px 10px;vertical-align:top"
			if class != nil {
				style += class(i, j)
			}
			fmt.Fprintf(&b, `<td style="%s">%s</td>`, style, html.EscapeString(cell))
		}
		b.WriteString("</tr>")
	}
	b.WriteString("</tbody></table>")
	return b.String()
}

// Verdict shows a paper's record: a table for people, and the record itself under [claim.MIME] in the same output, by
// which the runner finds it.
func Verdict(r claim.Record) error {
	if !gonbui.IsNotebook {
		fmt.Print(r)
		return nil
	}
	record, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("show: Verdict: %w", err)
	}
	var rows [][]string
	for _, c := range r.Claims {
		rows = append(rows, []string{c.ID, c.Claim, c.Criterion, c.Measured, c.Spread, c.Paper, c.Verdict()})
	}
	table := htmlTable([]string{"id", "claim", "criterion", "measured", "spread over seeds", "paper", "verdict"}, rows, func(i, j int) string {
		switch {
		case j != 6:
			return ""
		case r.Claims[i].Holds:
			return ";font-weight:bold;color:#fff;background:#00704d"
		}
		return ";font-weight:bold;color:#fff;background:#b13a00"
	})
	head := fmt.Sprintf("<p><b>%d of %d claims hold</b> at %s scale.</p>", r.Holding(), len(r.Claims), html.EscapeString(r.Scale))
	display(map[protocol.MIMEType]any{
		protocol.MIMETextHTML:         head + table,
		protocol.MIMETextPlain:        r.String(),
		protocol.MIMEType(claim.MIME): string(record),
	})
	return nil
}
