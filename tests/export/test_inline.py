from deeplab_caffe.export.inline import inline_single
from deeplab_caffe.export.nodes import HOLE, Argument, Block, ModuleClass, Node, Parameter, Program, Value

MADE = ModuleClass("nn.PReLU", (Parameter("slopes"),))


def block(label, nodes, inputs):
    return Block(label, True, inputs, nodes, (Parameter("slopes"),), ("1", "2"))


def nested():
    """Twice `outer`, whose body is a call of `inner` and a function; `inner` makes two modules."""
    a, b, c = Value("a"), Value("b"), Value("c")
    arguments = {"slopes": Argument("slopes")}
    inner = block(
        "inner",
        [Node([a], [b], made=MADE, name=f"p{HOLE}", arguments=arguments),
         Node([b], [c], made=MADE, name=f"q{HOLE}", arguments={"slopes": 1})],
        [a],
    )  # fmt: skip
    x, y, z = Value("x"), Value("y"), Value("z")
    call = Node([x], [y], made=inner, name=f"{HOLE}_in", arguments=arguments)
    outer = block("outer", [call, Node([y], [z], "F.relu({0})")], [x])
    values = [Value(str(i)) for i in range(3)]
    calls = [
        Node([values[i]], [values[i + 1]], made=outer, name=str(i), arguments={"slopes": i}) for i in (0, 1)
    ]
    program = Program("Net", values[:1], values[2:], ["0"], ["2"], calls, {})
    program.blocks = [inner, outer]
    return program


def test_a_block_of_one_call_becomes_part_of_its_caller():
    program = nested()
    inline_single(program)
    (outer,) = program.blocks
    assert outer.label == "outer"
    assert [(node.name, node.text) for node in outer.nodes] == [
        (f"p{HOLE}_in", ""),
        (f"q{HOLE}_in", ""),
        ("", "F.relu({0})"),
    ]
    assert [node.arguments for node in outer.nodes[:2]] == [{"slopes": Argument("slopes")}, {"slopes": 1}]
    first, second, last = outer.nodes
    assert first.inputs == outer.inputs and second.inputs == first.outputs and last.inputs == second.outputs


def test_a_block_of_several_calls_stays():
    program = nested()
    outer = program.blocks[1]
    program.nodes.append(Node(program.outputs, [Value("3")], made=program.blocks[0], name="x"))
    inline_single(program)
    assert [one.label for one in program.blocks] == ["inner", "outer"] and len(outer.nodes) == 2
