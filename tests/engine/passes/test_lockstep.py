"""Branches that share weights, in step: fewer reads of streamed weights, the same bits, the same memory."""

import os

import torch

from deeplab_caffe import ops
from deeplab_caffe.engine.net import Net
from deeplab_caffe.engine.passes.lockstep import lockstep
from deeplab_caffe.engine.random_weights import random_weights


def layer(kind, name, bottoms, rest=""):
    ends = "".join(f' bottom: "{bottom}"' for bottom in bottoms.split())
    return f'layer {{ name: "{name}" type: "{kind}"{ends} top: "{name}" {rest} }}\n'


def conv(name, bottom, outputs, weights):
    rest = f'param {{ name: "{weights}_w" }} param {{ name: "{weights}_b" }} '
    rest += f"convolution_param {{ num_output: {outputs} kernel_size: 3 pad: 1 }}"
    return layer("Convolution", name, bottom, rest)


def scale(factor):
    """Convolutions, a residual sum and scores, of an image made smaller and scores made larger again."""
    text, x = "", "x"
    if factor != 1:
        x = f"x{factor}"
        text = layer("Interp", x, "x", f"interp_param {{ zoom_factor: 1 shrink_factor: {factor} }}")
    text += conv(f"a{factor}", x, 24, "a") + conv(f"b{factor}", f"a{factor}", 24, "b")
    text += layer("Eltwise", f"e{factor}", f"a{factor} b{factor}")
    text += conv(f"c{factor}", f"e{factor}", 96, "c") + conv(f"d{factor}", f"c{factor}", 1, "d")
    if factor != 1:
        text += layer("Interp", f"s{factor}", f"d{factor}", "interp_param { height: 33 width: 41 }")
    return text


SCALES = 'input: "x" input_shape { dim: 1 dim: 24 dim: 33 dim: 41 }\n' + "".join(map(scale, (1, 2, 4)))
SCALES += layer("Eltwise", "max", "d1 s2 s4", "eltwise_param { operation: MAX }")
PLAIN = 'input: "x" input_shape { dim: 1 dim: 24 dim: 33 dim: 41 }\n' + scale(1)


def made(tmp_path, text):
    (tmp_path / "net.prototxt").write_text(text)
    net = Net(tmp_path / "net.prototxt")
    random_weights(net)
    net.save(tmp_path / "net.caffemodel")
    return net, Net(tmp_path / "net.prototxt", tmp_path / "net.caffemodel", weight_memory=0)


def nodes(net):
    return net._plans.schedule(None, "forward").nodes


def names(order):
    return [node.layer.name for node in order]


def test_weights_are_read_once_as_far_as_memory_allows(tmp_path, monkeypatch):
    resident, net = made(tmp_path, SCALES)
    arenas = [each._plans.schedule(None, "forward").plan.arena for each in (resident, net)]
    assert arenas[1] <= 1.04 * arenas[0]
    x, reads, read = torch.randn(1, 24, 33, 41), [], ops.read_packed_weights
    monkeypatch.setattr(ops, "read_packed_weights", lambda *a: reads.append(a[2]) or read(*a))
    assert torch.equal(net(x), resident(x))
    a, b, c = (24, 24, 3, 3), (24, 24, 3, 3), (96, 24, 3, 3)
    assert reads == [a, b, c]
    monkeypatch.setattr("deeplab_caffe.engine.schedule.lockstep", lambda nodes, *_: nodes)
    reads.clear()
    assert torch.equal(
        Net(tmp_path / "net.prototxt", tmp_path / "net.caffemodel", weight_memory=0)(x), net(x)
    )
    assert reads[: 3 * 3] == [a, b, c] * 3


def test_the_limit_decides_how_far(tmp_path):
    resident, _ = made(tmp_path, SCALES)
    plain = nodes(resident)
    best = lockstep(plain, lambda order: 0, 0)
    convolutions = [name for name in names(best) if name[0] in "abcd"]
    assert convolutions == [f"{letter}{factor}" for letter in "abcd" for factor in (1, 2, 4)]

    def far(order):
        return len(os.path.commonprefix([names(order), names(best)]))

    for limit in (3, 8, len(best)):
        order = lockstep(plain, far, limit)
        assert limit - 2 <= far(order) <= limit
        known = {value for node in plain for value in node.bottoms} - {v for s in plain for v in s.tops}
        for node in order:
            assert known.issuperset(node.bottoms)
            known.update(node.tops)
        assert sorted(names(order)) == sorted(names(plain))
    assert lockstep(plain, lambda order: 1, 0) is plain


def test_without_shared_weights_nothing_changes(tmp_path):
    resident, net = made(tmp_path, PLAIN)
    assert names(nodes(net)) == names(nodes(resident))
    order = nodes(net)
    assert lockstep(order, lambda _: 0, 1 << 60) is order
