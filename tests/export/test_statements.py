from deeplab_caffe.export.nodes import Node, Value
from deeplab_caffe.export.statements import is_infix, names_by_blob, names_by_letter, statements


def test_operators_outside_brackets():
    assert is_infix("{0} + {1}") and is_infix("-{0}") and is_infix("({0} + 1) * 2")
    assert not is_infix("f({0} + {1})") and not is_infix("{0}[1 : 2]")


def chain(*texts):
    """Each expression of the value before and of the input."""
    values = [Value("data")]
    nodes = []
    for i, text in enumerate(texts):
        values.append(Value(f"v{i}"))
        inputs = [values[-2], values[0]] if "{1}" in text else [values[-2]]
        nodes.append(Node(inputs, [values[-1]], text, unary=text.startswith("F.")))
    return nodes, values


def texts(nodes, values):
    return [line.text for line in statements(nodes, values[-1:], lambda node: "")]


def test_light_functions_stand_in_one_line():
    assert texts(*chain("{0} + {1}", "F.relu({0})")) == ["F.relu({0} + {0})"]
    assert texts(*chain("F.relu({0})", "{0} * {1}")) == ["F.relu({0}) * {0}"]
    assert texts(*chain("F.max_pool2d({0}, 3)", "torch.cat(({0}, {1}), 1)"))[-1].startswith("torch.cat")


def test_brackets_where_an_operator_would_bind_otherwise():
    nodes, values = chain("{0} + {1}", "F.a({0})", "{0}.tanh()")
    nodes[1].text, nodes[1].unary, nodes[2].unary = "{0}.exp()", True, True
    assert texts(nodes, values) == ["({0} + {0}).exp().tanh()"]


def test_a_value_that_two_read_has_a_line():
    nodes, values = chain("F.relu({0})", "F.relu({0})")
    nodes.append(Node([values[1], values[2]], [Value("end")], "{0} + {1}"))
    lines = statements(nodes, nodes[-1].outputs, lambda node: "")
    assert [line.text for line in lines] == ["F.relu({0})", "{0} + F.relu({0})"]


def test_variables():
    a, b, c, d = (Value(name) for name in ("data", "a", "a", "c"))
    nodes = [
        Node([a], [b], "f({0})"), Node([b], [c], "g({0})"), Node([c, b], [d], "h({0}, {1})")
    ]  # fmt: skip
    lines = statements(nodes, [d], lambda node: "")
    named = names_by_blob(lines, [a], {"data"})
    assert [named[value] for value in (a, b, c)] == ["data_", "a", "x"]
    letters = names_by_letter(lines, [a])
    assert [letters[value] for value in (a, b, c, d)] == ["x", "x", "y", "y"]
