import pytest

from deeplab_caffe.export.onnx_names import rename

onnx = pytest.importorskip("onnx")


def test_names_change_and_never_clash():
    make = onnx.helper
    kind = onnx.TensorProto.FLOAT
    graph = make.make_graph(
        [
            make.make_node("Relu", ["x"], ["scores"]),
            make.make_node("Neg", ["scores"], ["out"]),
        ],
        "g",
        [make.make_tensor_value_info("x", kind, ["s7", 3, "s1", "s2"])],
        [make.make_tensor_value_info("out", kind, ["s7", 3, "2*s1", "s2 + 1"])],
    )
    rename(graph, ["data"], ["scores"])
    assert [(list(node.input), list(node.output)) for node in graph.node] == [
        (["data"], ["scores_"]),
        (["scores_"], ["scores"]),
    ]
    sizes = [d.dim_param for d in graph.output[0].type.tensor_type.shape.dim]
    assert sizes == ["batch", "", "2*height", "width + 1"]
    onnx.checker.check_graph(
        graph, onnx.checker.C.CheckerContext() if False else onnx.checker.DEFAULT_CONTEXT
    )
