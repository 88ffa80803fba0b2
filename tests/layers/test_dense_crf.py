import numpy as np
import pytest
import torch

from deeplab_caffe import ops
from deeplab_caffe.crf.dense_crf import DenseCRF
from deeplab_caffe.errors import DeepLabError

ONE = "pos_w: 3 pos_xy_std: 3 bi_w: 5 bi_xy_std: 50 bi_rgb_std: 10"


def blobs(count=2, labels=4, height=9, width=11):
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(count, labels, height, width, generator=generator) * 2
    data = torch.randn(count, 3, height, width, generator=generator) * 60
    dims = torch.tensor([[9.0, 11.0], [7.0, 8.0]])[:count].reshape(count, 1, 1, 2)
    return scores, dims, data


def expected(energy, data, kernels, iterations=10):
    crf = DenseCRF(*energy.shape).unary(energy)
    for kernel in kernels:
        if len(kernel) == 2:
            crf.gaussian(*kernel)
        else:
            crf.bilateral(data.permute(1, 2, 0), *kernel)
    return crf.infer(iterations).permute(2, 0, 1)


def test_v1(run_in_net):
    scores, dims, data = blobs()
    (top,) = run_in_net("DENSE_CRF", scores, dims, data, rest=f"dense_crf_param {{ {ONE} }}", v1=True)
    for number, (height, width) in enumerate([(9, 11), (7, 8)]):
        inside = np.s_[number, :, :height, :width]
        energy = -ops.log(ops.softmax(scores))[inside].permute(1, 2, 0)
        assert torch.equal(top[inside], expected(energy, data[inside], [(3, 3), (50, 10, 5)]))
    assert top[1, :, 7:].eq(0).all() and top[1, :, :, 8:].eq(0).all()


@pytest.mark.parametrize("probability", ["true", "false"])
def test_v2_several_kernels(run_in_net, probability):
    scores, dims, data = blobs(1)
    fields = (
        "max_iter: 4 pos_w: 3 pos_xy_std: 3 pos_w: 1 pos_xy_std: 7 bi_w: 5 bi_xy_std: 50 bi_rgb_std: 10 "
        f"bi_w: 2 bi_xy_std: 9 bi_rgb_std: 20 output_probability: {probability}"
    )
    (top,) = run_in_net("DenseCRF", scores, dims, data, rest=f"dense_crf_param {{ {fields} }}")
    kernels = [(3, 3), (7, 1), (50, 10, 5), (9, 20, 2)]
    marginals = expected(-scores[0].permute(1, 2, 0), data[0], kernels, 4)
    if probability == "false":
        marginals = ops.log(marginals.clamp(min=1.17549435e-38).contiguous())
    assert torch.equal(top[0], marginals)


def test_without_image(run_in_net):
    scores, dims, _ = blobs(1)
    (top,) = run_in_net("DenseCRF", scores, dims, rest=f"dense_crf_param {{ {ONE} }}")
    assert torch.equal(top[0], expected(-scores[0].permute(1, 2, 0), None, [(3, 3)]))


@pytest.mark.parametrize(
    "fields, dims, message",
    [
        ("pos_w: 3", None, "pos_xy_std: 0 given for 1 pos_w"),
        ("bi_w: 3 bi_xy_std: 0 bi_rgb_std: 3", None, "bi_xy_std: 0 given, more than 0"),
        ("max_iter: -1", None, "max_iter: -1 given"),
        (ONE, [[10.0, 11.0]], "data_dim 10 x 11 for scores 9 x 11"),
        (ONE, [[0.0, 11.0]], "data_dim 0 x 11"),
        (ONE, [[9.0, 11.0, 3.0]], "do not fit"),
    ],
)
def test_errors(run_in_net, fields, dims, message):
    scores, good, data = blobs(1)
    dims = good if dims is None else torch.tensor(dims)[:, None, None]
    with pytest.raises(DeepLabError, match=message):
        run_in_net("DenseCRF", scores, dims, data, rest=f"dense_crf_param {{ {fields} }}")


def test_nan_scores(run_in_net):
    scores, dims, data = blobs(1)
    scores[0, 1, 2, 3] = float("nan")
    with pytest.raises(DeepLabError, match="point 25 "):
        run_in_net("DenseCRF", scores, dims, data, rest=f"dense_crf_param {{ {ONE} }}")


@pytest.mark.parametrize("rest", ["", "output_probability: false", "bi_w: 2 bi_xy_std: 20 bi_rgb_std: 30"])
@pytest.mark.parametrize("v1", [False, True])
def test_on_a_gpu(run_in_net, device, v1, rest):
    if v1 and "output" in rest:
        pytest.skip("v2 only")
    kind, text = "DENSE_CRF" if v1 else "DenseCRF", f"dense_crf_param {{ {ONE} max_iter: 3 {rest} }}"
    bottoms = blobs()
    (wanted,) = run_in_net(kind, *bottoms, rest=text, v1=v1)
    with device.kernels():
        options = {} if device.emulated else {"device": "cuda"}
        (top,) = run_in_net(kind, *bottoms, rest=text, v1=v1, **options)
    assert torch.equal(top.cpu(), wanted)
