package corpus

import (
	"encoding/binary"
	"errors"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// normalizer rewrites text before it is cut, as the model file says: characters by its table, e.g. by NFKC, and spaces.
type normalizer struct {
	units       []uint32 // a double array: a trie of what is replaced
	replacement string   // what it becomes, each part ended by a zero byte
	prefix      bool     // a space is put in front
	squeeze     bool     // spaces at both ends are left out, runs of them become one
}

// parse reads the part of a model file.
func (n *normalizer) parse(message []byte) error {
	return fields(message, func(number protowire.Number, v value) error {
		switch number {
		case 2:
			return n.parseTable(v.bytes)
		case 3:
			n.prefix = v.number != 0
		case 4:
			n.squeeze = v.number != 0
		case 5:
			if v.number == 0 {
				return errors.New("the model keeps spaces as they are, which is not known here")
			}
		}
		return nil
	})
}

// parseTable reads the table: the length of the double array in bytes, the array, the replacements.
func (n *normalizer) parseTable(table []byte) error {
	if len(table) == 0 {
		return nil
	}
	if len(table) < 4 {
		return errors.New("the table of characters is cut off")
	}
	size := uint64(binary.LittleEndian.Uint32(table))
	table = table[4:]
	if size == 0 || size%4 != 0 || size > uint64(len(table)) {
		return errors.New("the table of characters is cut off")
	}
	n.units = make([]uint32, size/4)
	for i := range n.units {
		n.units[i] = binary.LittleEndian.Uint32(table[4*i:])
	}
	n.replacement = string(table[size:])
	return nil
}

// lookup returns the longest beginning of text that the table has, as its length in bytes, and its replacement. Length 0:
// there is none.
//
// Source: Yata (2008), Darts-clone, for the layout: the lowest byte of a unit is its label, bit 8 says that a word ends
// here, bits 10 to 30 are the offset of its children, shifted by 8 where bit 9 is set; a leaf has bit 31 and its value.
func (n *normalizer) lookup(text string) (length int, replacement string) {
	offset := func(unit uint32) uint32 { return unit >> 10 << (unit & (1 << 9) >> 6) }
	if len(n.units) == 0 {
		return 0, ""
	}
	at := offset(n.units[0])
	for i := range len(text) {
		at ^= uint32(text[i])
		if uint64(at) >= uint64(len(n.units)) {
			break
		}
		unit := n.units[at]
		if unit&(1<<31|0xff) != uint32(text[i]) {
			break
		}
		at ^= offset(unit)
		if unit>>8&1 == 1 && uint64(at) < uint64(len(n.units)) {
			if from := n.units[at] & (1<<31 - 1); uint64(from) < uint64(len(n.replacement)) {
				length = i + 1
				replacement, _, _ = strings.Cut(n.replacement[from:], "\x00")
			}
		}
	}
	return length, replacement
}

// next takes the first character, or as many as the table replaces together, off a text. A byte that is no UTF-8 becomes
// U+FFFD.
func (n *normalizer) next(text string) (length int, normal string) {
	if length, normal = n.lookup(text); length > 0 {
		return length, normal
	}
	r, size := utf8.DecodeRuneInString(text)
	if r == utf8.RuneError && size == 1 {
		return 1, "\uFFFD"
	}
	return size, text[:size]
}

// normalize returns text as it is cut, with "▁" for each space.
func (n *normalizer) normalize(text string) string {
	var out strings.Builder
	out.Grow(len(text) + len(text)/4)
	spaced := n.squeeze // no space is wanted: one was written last, or nothing yet
	started := !n.prefix
	for len(text) > 0 {
		length, normal := n.next(text)
		text = text[length:]
		if spaced {
			normal = strings.TrimLeft(normal, " ")
		}
		if normal == "" {
			continue
		}
		if !started {
			out.WriteString(space)
			started = true
		}
		spaced = n.squeeze && strings.HasSuffix(normal, " ")
		out.WriteString(strings.ReplaceAll(normal, " ", space))
	}
	normal := out.String()
	if n.squeeze {
		for strings.HasSuffix(normal, space) {
			normal = strings.TrimSuffix(normal, space)
		}
	}
	return normal
}
