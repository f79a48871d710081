import math
import unittest

from papermill.parameterize import parameterize_notebook
from papermill.translators import papermill_translators
from nbformat import v4

import gotranslator
from gotranslator import GoTranslator, literal, quote, type_of


class GoTranslatorTest(unittest.TestCase):
    def test_types_that_the_notebook_declares(self) -> None:
        go = GoTranslator({"seeds": "float64", "lrs": "[]float32", "grid": "map[string][]float64", "pair": "[2]int"})
        self.assertEqual(
            go.codify({"seeds": 3.0, "lrs": [0.1, math.nan], "grid": {"a": [1.0], "b": []}, "pair": [1, 2]}),
            '// Parameters\nimport "math"\n'
            "var seeds float64 = 3.0\n"
            "var lrs []float32 = []float32{0.1, float32(math.NaN())}\n"
            'var grid map[string][]float64 = map[string][]float64{"a": {1.0}, "b": {}}\n'
            "var pair [2]int = [2]int{1, 2}\n",
        )

    def test_types_that_are_inferred(self) -> None:
        cases: list[tuple[gotranslator.Value, str]] = [
            (True, "bool"),
            (1, "int"),
            (1.5, "float64"),
            ("x", "string"),
            ([1, 2.5], "[]float64"),
            ([], "[]any"),
            ([1, "x"], "[]any"),
            ({"a": [True]}, "map[string][]bool"),
        ]
        for value, want in cases:
            self.assertEqual(type_of(value), want)
        with self.assertRaises(TypeError):
            type_of(None)  # type: ignore[arg-type]

    def test_infinities_need_an_import_and_words_do_not(self) -> None:
        go = GoTranslator()
        self.assertIn('import "math"\nvar x float64 = math.Inf(-1)', go.codify({"x": -math.inf}))
        self.assertNotIn("import", go.codify({"x": 'use "math.NaN()"'}))

    def test_quote(self) -> None:
        for text, want in [
            ("plain é 😀", '"plain é 😀"'),
            ('"\\\n\r\t', r'"\"\\\n\r\t"'),
            ("\x00\x7f\u2028\ufeff\U000e0001", r'"\u0000\u007f\u2028\ufeff\U000e0001"'),
        ]:
            self.assertEqual(quote(text), want)

    def test_large_numbers(self) -> None:
        self.assertEqual(literal(2**64 - 1, "uint64"), "18446744073709551615")
        self.assertEqual(literal(1e300, "float64"), "1e+300")

    def test_papermill_finds_it(self) -> None:
        gotranslator.register({"n": "int64"})
        self.assertEqual(papermill_translators.find_translator("go-xla-cpu", "go").inspect(None)[0].name, "n")
        cell = v4.new_code_cell("var n int64 = 1")
        cell.metadata["tags"] = ["parameters"]
        nb = v4.new_notebook(cells=[cell], metadata={"papermill": {}})
        nb = parameterize_notebook(nb, {"n": 2}, kernel_name="go-xla-cpu", language="go")
        self.assertEqual(nb.cells[1].source, "// Parameters\nvar n int64 = 2\n")


if __name__ == "__main__":
    unittest.main()
