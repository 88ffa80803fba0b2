import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.export.check import Case, compare, make_cases, run_fresh

SOURCE = """
import torch

class Net(torch.nn.Module):
    def forward(self, x):
        return 2 * x

def load(path):
    return Net()
"""


def one_case(exact, scores=None):
    return Case({"data": torch.zeros(1, 3, 2, 2)}, {"y": exact}, {"y": scores})


def test_two_sizes_the_second_a_batch_where_it_can_be(net_of):
    net = net_of('layer { name: "r" type: "ReLU" bottom: "data" top: "y" }')
    first, second = make_cases(net, ["data"], ["y"])
    assert first.inputs["data"].shape == (1, 4, 13, 18)
    assert second.inputs["data"].shape == (2, 4, 34, 60)
    assert torch.equal(first.outputs["y"], first.inputs["data"].relu())


def test_a_net_of_one_size_takes_a_batch(net_of):
    net = net_of(
        'layer { name: "f" type: "InnerProduct" bottom: "data" top: "y" '
        "inner_product_param { num_output: 2 } }"
    )
    assert [case.size for case in make_cases(net, ["data"], ["y"])] == ["1x4x13x18", "2x4x13x18"]


def test_images_are_as_the_input_layer_scales_them(net_of):
    text = """layer { name: "data" type: "Input" top: "data"
      input_param { shape { dim: 1 dim: 3 dim: 40 dim: 40 } }
      transform_param { std_value: 60 std_value: 60 std_value: 60 scale: 2 } }
    layer { name: "r" type: "ReLU" bottom: "data" top: "y" }"""
    case, _ = make_cases(net_of(text, head=""), ["data"], ["y"])
    assert case.inputs["data"].std().item() == pytest.approx(2, rel=0.1)
    plain, _ = make_cases(net_of('layer { name: "r" type: "ReLU" bottom: "data" top: "y" }'), ["data"], ["y"])
    assert plain.inputs["data"].std().item() == pytest.approx(60, rel=0.1)


def test_errors_count_by_the_largest_score():
    exact = torch.tensor([[[[100.0]], [[-50.0]]]])
    (fine,) = compare("torch", one_case(exact), [exact + 0.0009])
    (wrong,) = compare("torch", one_case(exact), [exact + 0.0011])
    assert fine.passed and not wrong.passed
    assert fine.error == pytest.approx(9e-6, rel=0.05)


def test_a_nan_another_shape_and_another_label_fail():
    exact = torch.tensor([[[[1.0]], [[0.0]]]])
    (nan,) = compare("torch", one_case(exact), [exact * float("nan")])
    (shape,) = compare("torch", one_case(exact), [exact[0]])
    (label,) = compare("torch", one_case(exact), [exact.flip(1)])
    assert not nan.passed and nan.error is None and nan.reason == "NaN or infinite values"
    assert not shape.passed and shape.reason == "shape (2, 1, 1), exact (1, 2, 1, 1)"
    assert not label.passed and (label.labels, label.sure) == (1, 1)


def test_labels_may_differ_where_the_scores_do_not():
    scores = torch.tensor([[[[5.0, 5.0]], [[4.99999, 1.0]]]])
    exact = torch.zeros(1, 1, 1, 2)
    (close,) = compare("onnx", one_case(exact, (scores, 1)), [torch.tensor([[[[1.0, 0.0]]]])])
    (sure,) = compare("onnx", one_case(exact, (scores, 1)), [torch.tensor([[[[0.0, 1.0]]]])])
    (none,) = compare("onnx", one_case(exact, (scores, 1)), [torch.tensor([[[[0.0, 7.0]]]])])
    assert close.passed and close.labels == 1
    assert not sure.passed and sure.sure == 1
    assert not none.passed and none.reason == "no labels"


@pytest.mark.slow
def test_a_fresh_process_runs_the_source(tmp_path):
    (tmp_path / "net.py").write_text(SOURCE)
    case = one_case(torch.zeros(1))
    case.inputs["data"] += 3
    ((given,),) = run_fresh("source", tmp_path / "net.py", tmp_path / "net.pt", [case])
    assert given.unique().tolist() == [6]


@pytest.mark.slow
def test_the_package_is_not_there(tmp_path):
    (tmp_path / "net.py").write_text("import deeplab_caffe\n" + SOURCE)
    with pytest.raises(DeepLabError, match="net.py: does not run: .*deeplab_caffe"):
        run_fresh("source", tmp_path / "net.py", tmp_path / "net.pt", [one_case(torch.zeros(1))])
