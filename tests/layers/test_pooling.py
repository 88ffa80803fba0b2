import pytest
import torch

from deeplab_caffe import ops
from deeplab_caffe.errors import DeepLabError


def pooling(fields):
    return f'layer {{ name: "p" type: "Pooling" bottom: "a" top: "b" pooling_param {{ {fields} }} }}'


@pytest.mark.parametrize(
    ("fields", "size", "wanted"),
    [
        ("kernel_size: 3 stride: 2 pad: 1", (513, 321), (257, 161)),
        ("kernel_size: 3 stride: 2 pad: 1", (306, 65), (154, 33)),  # rounded up
        ("kernel_size: 2 stride: 2 pad: 1", (4, 5), (3, 3)),  # the last window would start beyond the end
        ("kernel_size: 2 stride: 2", (5, 4), (3, 2)),
        ("kernel_size: 2 stride: 2 round_mode: FLOOR", (5, 4), (2, 2)),
        ("kernel_h: 1 kernel_w: 3 stride_h: 2 stride_w: 1 pad_h: 0 pad_w: 2", (6, 7), (3, 9)),  # both sides
        ("kernel_size: 3 stride: 2", (2, 2), (1, 1)),  # larger than the bottom, rounded up
        ("global_pooling: true", (6, 7), (1, 1)),
    ],
)
def test_size(run_layer, fields, size, wanted):
    assert run_layer(pooling(fields)).layer.shape([(2, 3, *size)]) == [(2, 3, *wanted)]


def test_values_by_hand(run_layer):
    x = torch.arange(16.0).view(1, 1, 4, 4)
    (top,) = run_layer(pooling("kernel_size: 3 stride: 2"))(x)
    assert top.flatten().tolist() == [10, 11, 14, 15]
    (top,) = run_layer(pooling("pool: AVE kernel_size: 2 stride: 2 pad: 1"))(x)
    # Padding counts, but only as far as it reaches: corners 1 of 4 cells.
    assert top[0, 0].tolist() == [[0, 0.75, 0.75], [3, 7.5, 4.5], [3, 6.75, 3.75]]
    (top,) = run_layer(pooling("pool: AVE global_pooling: true"))(x)
    assert top.item() == 7.5


@pytest.mark.parametrize("pool", ["MAX", "AVE"])
@pytest.mark.parametrize(
    "fields", ["kernel_size: 3 stride: 2 pad: 1", "kernel_size: 3 pad: 1", "kernel_size: 2 stride: 2"]
)
def test_fast_path_agrees(run_layer, rand, pool, fields):
    run = run_layer(pooling(f"pool: {pool} {fields}"), precision="fp32")
    x = rand(2, 3, 17, 24)
    (fast,) = run.layer.forward_fast([x.to(memory_format=torch.channels_last)])
    torch.testing.assert_close(fast.contiguous(), run(x)[0])


def test_fast_path_agrees_where_a_window_is_empty(run_layer, rand):
    run = run_layer(pooling("kernel_size: 1 stride: 3"), precision="fp32")
    x = rand(1, 1, 5, 5)
    assert torch.equal(run.layer.forward_fast([x])[0], run(x)[0])


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ("", "kernel_size"),
        ("kernel_size: 0", "kernel_size"),
        ("kernel_h: 3", "kernel_size"),
        ("kernel_size: 3 kernel_h: 3", "kernel_size"),
        ("kernel_size: 4000000000", "kernel_size"),
        ("kernel_size: 3 stride: 0", "stride"),
        ("kernel_size: 3 stride_h: 1", "stride"),
        ("kernel_size: 3 pad: 3", "pad"),
        ("kernel_size: 3 pad: 1 pad_h: 1", "pad"),
        ("kernel_size: 3 pad: 1 pool: STOCHASTIC", "pad"),
        ("global_pooling: true kernel_size: 3", "kernel_size"),
        ("global_pooling: true pad: 1", "global_pooling"),
    ],
)
def test_wrong_fields(run_layer, fields, field):
    with pytest.raises(DeepLabError, match=rf"layer 'p' \(Pooling\): {field}"):
        run_layer(pooling(fields))


def test_stochastic(run_layer, rand):
    x = rand(2, 3, 7, 6).abs()
    x[0, 0] = 0
    fields = "pool: STOCHASTIC kernel_h: 3 kernel_w: 2 stride: 2"
    (top,) = run_layer(pooling(fields))(x)
    windows = [[x[:, :, y : y + 3, z : z + 2].flatten(2) for z in (0, 2, 4)] for y in (0, 2, 4)]
    wanted = [torch.stack([w.square().sum(2) / w.sum(2) for w in row], 2) for row in windows]
    torch.testing.assert_close(top, torch.stack(wanted, 2).nan_to_num())
    # A window that reaches over both ends, and one of gigantic size.
    whole = run_layer(pooling("pool: STOCHASTIC kernel_size: 2000000000 stride: 2000000000"))(x)[0]
    torch.testing.assert_close(whole[1:, :, 0, 0], (x.square().sum((2, 3)) / x.sum((2, 3)))[1:])
    (top,) = run_layer(pooling("pool: STOCHASTIC kernel_size: 3 stride: 2"))(x[:, :, :4, :4])
    corner = x[1, 2, 2:4, 2:4]
    torch.testing.assert_close(top[1, 2, 1, 1], corner.square().sum() / corner.sum())
    with pytest.raises(DeepLabError, match="test phase only"):
        run_layer(pooling(fields), phase="train")(x)


def test_wrong_bottoms(run_layer):
    layer = run_layer(pooling("kernel_size: 9 round_mode: FLOOR")).layer
    with pytest.raises(DeepLabError, match="does not fit"):
        layer.shape([(1, 1, 4, 4)])
    with pytest.raises(DeepLabError, match="4 dimensions"):
        layer.shape([(1, 10)])


def test_threads(run_layer, rand):
    x = rand(1, 7, 40, 41)
    one, two = (run_layer(pooling("kernel_size: 3 pad: 1"), threads=threads)(x)[0] for threads in (1, 2))
    assert torch.equal(one, two) and torch.equal(one, ops.max_pool(x, (40, 41), (3, 3), (1, 1), (1, 1)))


@pytest.mark.parametrize(
    "fields",
    ["kernel_size: 2 stride: 2", "kernel_size: 3 stride: 2 pad: 1", "kernel_size: 3 ceil_mode: false"],
)
def test_the_mask_is_where_the_maximum_is_first_found(run_layer, rand, fields):
    x = rand(2, 3, 7, 6).mul(2).round()  # with ties
    run = run_layer(pooling(fields).replace('top: "b"', 'top: "b" top: "mask"'))
    top, mask = run(x)
    assert torch.equal(top, run_layer(pooling(fields))(x)[0])
    kernel, pad = int(fields[13]), int(fields[-1]) if "pad" in fields else 0
    stride = 2 if "stride" in fields else 1
    for n, c, i, j in torch.cartesian_prod(*map(torch.arange, top.shape)).tolist():
        best, place = -3.4e38, -1
        for row in range(max(0, i * stride - pad), min(7, i * stride - pad + kernel)):
            for column in range(max(0, j * stride - pad), min(6, j * stride - pad + kernel)):
                if x[n, c, row, column] > best:
                    best, place = x[n, c, row, column], row * 6 + column
        assert top[n, c, i, j] == best and mask[n, c, i, j] == place


def test_ceil_mode_is_another_name(run_layer):
    shape = [(1, 1, 5, 5)]
    assert run_layer(pooling("kernel_size: 2 stride: 2 ceil_mode: false")).layer.shape(shape) == [
        (1, 1, 2, 2)
    ]
    assert run_layer(pooling("kernel_size: 2 stride: 2 ceil_mode: true")).layer.shape(shape) == [(1, 1, 3, 3)]
    with pytest.raises(DeepLabError, match="ceil_mode: given beside round_mode"):
        run_layer(pooling("kernel_size: 2 round_mode: FLOOR ceil_mode: false"))
    with pytest.raises(DeepLabError, match="AVE has 1"):
        run_layer(pooling("pool: AVE kernel_size: 2").replace('top: "b"', 'top: "b" top: "mask"'))


def test_the_mask_changes_no_gradient(run_layer, rand):
    text = pooling("kernel_size: 3 stride: 2 pad: 1")
    gradients = []
    for one in (text, text.replace('top: "b"', 'top: "b" top: "mask"')):
        x = rand(2, 3, 7, 6).requires_grad_()
        top = run_layer(one).layer.forward_train([x])[0]
        (top * torch.arange(top.numel()).view(top.shape)).sum().backward()
        gradients.append(x.grad)
    assert torch.equal(*gradients)
