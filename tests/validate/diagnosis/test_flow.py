from deeplab_caffe.formats.prototxt import read_net
from deeplab_caffe.validate.diagnosis.flow import Flow

NET = """
input: "data" input_shape { dim: 1 dim: 3 dim: 9 dim: 9 }
layer { name: "a" type: "Convolution" bottom: "data" top: "a"
        convolution_param { num_output: 2 kernel_size: 1 } }
layer { name: "r" type: "ReLU" bottom: "a" top: "a" }
layer { name: "b" type: "Convolution" bottom: "data" top: "b"
        convolution_param { num_output: 2 kernel_size: 1 } }
layer { name: "c" type: "Eltwise" bottom: "a" bottom: "b" top: "c" }
layer { name: "d" type: "ReLU" bottom: "c" top: "c" }
"""

BOTH = """
input: "data" input_shape { dim: 1 dim: 3 dim: 9 dim: 9 }
layer { name: "a" type: "AbsVal" bottom: "data" top: "a" }
layer { name: "e" type: "AbsVal" bottom: "a" top: "e" }
layer { name: "r" type: "ReLU" bottom: "a" top: "a" }
layer { name: "f" type: "Eltwise" bottom: "e" bottom: "a" top: "f" }
"""


def flow():
    return Flow(read_net("net.prototxt", text=NET))


def test_suspects():
    net = flow()
    whole = {(-1, "data"), (0, "a"), (1, "a"), (2, "b"), (3, "c"), (4, "c")}
    assert net.suspects((4, "c"), []) == whole
    assert net.suspects((3, "c"), [(1, "a")]) == {(2, "b"), (3, "c")}
    assert net.suspects((1, "a"), [(0, "a")]) == {(1, "a")}
    assert net.sources() == [(-1, "data")]


def test_part():
    shapes = {(1, "a"): (1, 2, 9, 9), (-1, "data"): (1, 3, 9, 9)}
    part = flow().part({2, 3}, shapes)
    assert [layer.name for layer in part.definition.layers] == ["b", "c"] and part.indices == [2, 3]
    assert part.inputs == {"data": (-1, "data"), "a": (1, "a")}
    assert part.definition.inputs == {"data": (1, 3, 9, 9), "a": (1, 2, 9, 9)}


def test_a_part_that_reads_a_blob_before_and_behind_a_layer():
    net = Flow(read_net("net.prototxt", text=BOTH))
    shape = 1, 3, 9, 9
    part = net.part({1, 3}, {(-1, "data"): shape, (0, "a"): shape, (2, "a"): shape})
    assert part.indices == [0, 1, 2, 3] and part.inputs == {"data": (-1, "data")}
