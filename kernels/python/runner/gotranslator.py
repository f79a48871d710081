"""Go for papermill: parameters become variable declarations of a Go notebook."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TypeAlias

from papermill.models import Parameter
from papermill.translators import Translator, papermill_translators

Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value]"


class GoTranslator(Translator):
    """Writes values as Go, with the types that the notebook declares.

    A parameter whose type is not given gets the one Go would infer: bool, int,
    float64, string, or slices and maps (from string) of these.
    """

    def __init__(self, types: Mapping[str, str] | None = None) -> None:
        self.types = dict(types or {})

    def codify(self, parameters: Mapping[str, Value], comment: str = "Parameters") -> str:
        lines = []
        for name, value in parameters.items():
            go_type = self.types.get(name) or type_of(value)
            text = literal(value, leaf(go_type))
            if isinstance(value, (list, dict)):
                text = go_type + text
            lines.append(f"var {name} {go_type} = {text}")
        imports = ['import "math"'] if any("math." in bare(line) for line in lines) else []
        return "\n".join([f"// {comment}", *imports, *lines]) + "\n"

    def inspect(self, parameters_cell: object) -> list[Parameter]:
        """What can be set. The caller has read the cell, as Go can and Python cannot."""
        return [Parameter(name, go_type, "", "") for name, go_type in self.types.items()]


def register(types: Mapping[str, str] | None = None) -> None:
    """Makes papermill use this translator for notebooks in Go."""
    papermill_translators.register("go", GoTranslator(types))


def type_of(value: Value) -> str:
    """The Go type of a value that comes without one."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int"
    if isinstance(value, float):
        return "float64"
    if isinstance(value, str):
        return "string"
    if isinstance(value, list):
        return "[]" + common(value)
    if isinstance(value, dict):
        return "map[string]" + common(list(value.values()))
    raise TypeError(f"a parameter cannot be a {type(value).__name__}")


def common(values: list[Value]) -> str:
    """The one type that holds all values."""
    types = {type_of(v) for v in values}
    if types == {"int", "float64"}:
        return "float64"
    return types.pop() if len(types) == 1 else "any"


def leaf(go_type: str) -> str:
    """The innermost element type: float32 of map[string][]float32."""
    return re.sub(r"(\[\d*\]|map\[string\])", "", go_type)


def literal(value: Value, element: str) -> str:
    """A value in Go; of lists and maps only the braces, since Go infers what is in them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if math.isfinite(value):
            return repr(value)
        text = "math.NaN()" if math.isnan(value) else f"math.Inf({int(math.copysign(1, value))})"
        return f"{element}({text})" if element == "float32" else text
    if isinstance(value, list):
        return "{" + ", ".join(literal(v, element) for v in value) + "}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quote(k)}: {literal(v, element)}" for k, v in value.items()) + "}"
    raise TypeError(f"a parameter cannot be a {type(value).__name__}")


ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def quote(text: str) -> str:
    """A Go string literal on one line: what is not printable is escaped."""

    def escape(char: str) -> str:
        if char in ESCAPES:
            return ESCAPES[char]
        if char.isprintable():
            return char
        return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"

    return '"' + "".join(map(escape, text)) + '"'


def bare(line: str) -> str:
    """A line of Go without its string literals."""
    return re.sub(r'"(\\.|[^"\\])*"', '""', line)
