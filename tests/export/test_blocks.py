from deeplab_caffe.export.blocks import find_blocks
from deeplab_caffe.export.nodes import consumers, leaves
from deeplab_caffe.export.translate import translate


def unit(name, bottom, outputs, hole=1):
    """A convolution with what belongs to it, and a sum with what it read."""
    window = f"kernel_size: 3 pad: {hole} dilation: {hole} bias_term: false"
    return f"""
layer {{ name: "{name}/conv" type: "Convolution" bottom: "{bottom}" top: "{name}"
  convolution_param {{ num_output: {outputs} {window} }} }}
layer {{ name: "{name}/bn" type: "BatchNorm" bottom: "{name}" top: "{name}" }}
layer {{ name: "{name}/scale" type: "Scale" bottom: "{name}" top: "{name}"
  scale_param {{ bias_term: true }} }}
layer {{ name: "{name}/sum" type: "Eltwise" bottom: "{bottom}" bottom: "{name}" top: "{name}/sum" }}
layer {{ name: "{name}/relu" type: "ReLU" bottom: "{name}/sum" top: "{name}/sum" }}
"""


def chain(count, **fields):
    text, bottom = "", "data"
    for i in range(1, count + 1):
        text += unit(f"u{i}", bottom, 4, **{key: value(i) for key, value in fields.items()})
        bottom = f"u{i}/sum"
    return text


def test_what_comes_again_is_a_block_that_a_loop_calls(agrees):
    source = agrees(chain(8))
    assert source.count("nn.Conv2d") == 1
    assert 'for i in range(1, 9):\n            self.add_residual_unit(f"u{i}")' in source
    assert 'getattr(self, f"{name}_conv")' in source
    assert '"""8 times, name: u1, u2, ..., u8"""' in source


def test_arguments_that_differ_become_the_blocks(net_of, agrees):
    text = chain(6, hole=lambda i: 1 if i < 5 else i)
    program = translate(net_of(text))
    find_blocks(program)
    (block,) = program.blocks
    assert [(p.name, p.default) for p in block.parameters] == [("dilation", 1)]
    assert [node.arguments["dilation"] for node in program.nodes] == [1, 1, 1, 1, 5, 6]
    source = agrees(text)
    assert "padding=dilation, dilation=dilation" in source and '"u6", dilation=6' in source


def test_two_or_three_lines_are_no_block(net_of):
    program = translate(net_of(chain(2)))
    find_blocks(program)
    assert not program.blocks


def test_names_without_a_common_part_stay(net_of):
    text = chain(6)
    for i in range(1, 7):
        text = text.replace(f"u{i}/conv", f"{'abcdef'[i - 1]}")
    program = translate(net_of(text))
    find_blocks(program)
    assert all("conv" not in block.label for block in program.blocks)


def test_branches_that_share_all_weights_are_one_method(agrees):
    text = ""
    for scale, (name, bottom) in enumerate((("x", "data"), ("y", "small"))):
        if scale:
            text += 'layer { name: "s" type: "Interp" bottom: "data" top: "small" '
            text += "interp_param { shrink_factor: 2 } }"
        for i in range(3):
            text += f"""layer {{ name: "{name}{i}" type: "Convolution" bottom: "{bottom}" top: "{name}{i}"
  param {{ name: "w{i}" }} param {{ name: "b{i}" }}
  convolution_param {{ num_output: 4 kernel_size: 3 pad: 1 }} }}"""
            bottom = f"{name}{i}"
    text += 'layer { name: "z" type: "Interp" bottom: "y2" bottom: "x2" top: "z" }'
    text += 'layer { name: "m" type: "Eltwise" bottom: "x2" bottom: "z" top: "m" '
    text += "eltwise_param { operation: MAX } }"
    source = agrees(text)
    assert source.count("nn.Conv2d") == 3 and source.count("self.branch(") == 2


def test_the_blocks_hold_all_modules(net_of):
    program = translate(net_of(chain(8)))
    before = len(leaves(program.nodes))
    find_blocks(program)
    assert before == 24 and len(leaves(program.nodes)) == 24
    assert set(consumers(program.nodes, program.outputs).values()) == {1}
