package notebook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
)

// Kinds of outputs.
const (
	Stream  = "stream"
	Display = "display_data"
	Result  = "execute_result"
	Failure = "error"
)

// Output is one output of a cell. Which fields are set depends on Kind.
type Output struct {
	Kind string

	Name string // of a Stream: "stdout" or "stderr"
	Text string // of a Stream

	// Data of a Display or Result by MIME type: a string, or for JSON types the
	// decoded value with numbers as json.Number.
	Data           map[string]any
	Metadata       map[string]any
	ExecutionCount *int // of a Result

	ErrorName, ErrorValue string // of a Failure
	Traceback             []string
}

// outputFile is how nbformat stores an Output.
type outputFile struct {
	Kind           string          `json:"output_type"`
	Name           string          `json:"name"`
	Text           multiline       `json:"text"`
	Data           json.RawMessage `json:"data"`
	Metadata       json.RawMessage `json:"metadata"`
	ExecutionCount *int            `json:"execution_count"`
	ErrorName      string          `json:"ename"`
	ErrorValue     string          `json:"evalue"`
	Traceback      []string        `json:"traceback"`
}

// UnmarshalJSON reads an output as stored in a file or sent by a kernel.
func (o *Output) UnmarshalJSON(raw []byte) error {
	var f outputFile
	if err := json.Unmarshal(raw, &f); err != nil {
		return err
	}
	*o = Output{Kind: f.Kind, Name: f.Name, Text: string(f.Text), ExecutionCount: f.ExecutionCount,
		ErrorName: f.ErrorName, ErrorValue: f.ErrorValue, Traceback: f.Traceback}
	var err error
	if o.Data, err = decodeMap(f.Data); err != nil {
		return fmt.Errorf("data of a %s output: %w", f.Kind, err)
	}
	if o.Metadata, err = decodeMap(f.Metadata); err != nil {
		return fmt.Errorf("metadata of a %s output: %w", f.Kind, err)
	}
	for mime, value := range o.Data {
		o.Data[mime] = unpack(mime, value)
	}
	return nil
}

// unpack joins the lines of a text, and decodes JSON that a kernel sent as text.
func unpack(mime string, value any) any {
	if !isJSON(mime) {
		if lines, ok := joinLines(value); ok {
			return lines
		}
		return value
	}
	text, ok := joinLines(value)
	if !ok {
		return value
	}
	if decoded, err := decode([]byte(text)); err == nil {
		return decoded
	}
	return value
}

// joinLines returns a text that is stored as a string or as a list of strings.
func joinLines(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case []any:
		var b strings.Builder
		for _, line := range v {
			s, ok := line.(string)
			if !ok {
				return "", false
			}
			b.WriteString(s)
		}
		return b.String(), len(v) > 0
	}
	return "", false
}

// MarshalJSON writes the output as Jupyter stores it, keys in order.
func (o Output) MarshalJSON() ([]byte, error) {
	m := map[string]any{"output_type": o.Kind}
	switch o.Kind {
	case Stream:
		m["name"], m["text"] = o.Name, multiline(o.Text)
	case Failure:
		m["ename"], m["evalue"], m["traceback"] = o.ErrorName, o.ErrorValue, list(o.Traceback)
	default:
		data := map[string]any{}
		for mime, value := range o.Data {
			if text, ok := value.(string); ok && splitsLines(mime) {
				value = multiline(text)
			}
			data[mime] = value
		}
		metadata := map[string]any{}
		maps.Copy(metadata, o.Metadata)
		m["data"], m["metadata"] = data, metadata
		if o.Kind == Result {
			m["execution_count"] = o.ExecutionCount
		}
	}
	return encode(m)
}

// Display values of text types are stored line by line, pictures in base64 are not.
func splitsLines(mime string) bool {
	return strings.HasPrefix(mime, "text/") || mime == "image/svg+xml" || mime == "application/javascript"
}

func isJSON(mime string) bool {
	return mime == "application/json" || strings.HasSuffix(mime, "+json")
}

// decode reads JSON with numbers kept as they are written.
func decode(raw []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, fmt.Errorf("more than one JSON value")
	}
	return v, nil
}

func decodeMap(raw json.RawMessage) (map[string]any, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	v, err := decode(raw)
	if err != nil {
		return nil, err
	}
	m, ok := v.(map[string]any)
	if !ok && v != nil {
		return nil, fmt.Errorf("must be an object")
	}
	return m, nil
}

// list makes nil an empty list, which JSON writes as [] and not as null.
func list[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}
