import ast

import pytest

from deeplab_caffe.export.layout import loop, wrapped


def test_short_lines_stay():
    assert wrapped("    x = f(x)") == ["    x = f(x)"]


@pytest.mark.parametrize(
    "line",
    [
        "x = torch.cat((" + ", ".join(f"blob_{i}" for i in range(20)) + "), 1)",
        'x = self.unit("a_name_that_is_long, with a comma", a_value_that_is_long, another_value)',
        "x = F.dropout(F.relu(self.a_unit(a_value_that_is_long_too, another_one)), 0.5, self.training)",
        "x = [(n - 1) // 2 for n in shape_of_something] + [value for value in others if value is not None]",
    ],
)
def test_long_lines_are_wrapped_and_mean_the_same(line):
    lines = wrapped(line, 60)
    assert max(map(len, lines)) <= 100 and len(lines) > 1
    assert ast.dump(ast.parse("\n".join(lines))) == ast.dump(ast.parse(line))


def test_numbers_in_a_row_are_a_range():
    assert loop(["4b1", "4b2", "4b3"], "  ") == ("  for i in range(1, 4):", 'f"4b{i}"')
    assert loop(["2b", "2c"], "") == ('for name in ("2b", "2c"):', "name")
    assert loop(["a1", "a3", "a4"], "")[1] == "name"
    assert loop(["a01", "a02", "a03"], "")[1] == "name"
