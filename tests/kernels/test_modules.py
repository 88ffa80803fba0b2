import pytest
import torch

from deeplab_caffe import ops
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.kernels import ASPP, AtrousConv2d, atrous_conv2d


def test_a_conv2d_with_our_bits(draw):
    ours = AtrousConv2d(4, 6, 3, rate=2, padding=2, groups=2)
    theirs = torch.nn.Conv2d(4, 6, 3, padding=2, dilation=2, groups=2)
    theirs.load_state_dict(ours.state_dict())
    x = draw(2, 4, 9, 8)
    y = ours(x)
    assert y.equal(atrous_conv2d(x, ours.weight, ours.bias, rate=2, padding=2, groups=2))
    assert torch.allclose(y, theirs(x), atol=1e-5)
    y.sum().backward()
    assert ours.weight.grad.abs().sum() > 0 and ours.bias.grad.abs().sum() > 0
    assert "dilation=(2, 2)" in repr(ours) and "precision=exact" in repr(ours)


@pytest.mark.slow
def test_trains_and_compiles(draw):
    module, x = ASPP(4, 3, (1, 2)), draw(2, 4, 9, 8)
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    optimizer = torch.optim.SGD(module.parameters(), 0.01)
    losses = []
    for _ in range(5):
        loss = (compiled(x) - 1).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses == sorted(losses, reverse=True)


def test_aspp_sums_as_eltwise_does(draw):
    module, x = ASPP(4, 3, (1, 2, 3, 6)), draw(1, 4, 9, 8)
    with torch.no_grad():
        tops = [branch(x) for branch in module.branches]
        assert module(x).equal(ops.eltwise("sum", tops, [1.0] * 4))
    assert [branch.dilation for branch in module.branches] == [(1, 1), (2, 2), (3, 3), (6, 6)]


def test_aspp_concatenates(draw):
    module, x = ASPP(4, 3, (2, 4), merge="concat", bias=False), draw(1, 4, 9, 8)
    y = module(x)
    assert y.shape == (1, 6, 9, 8)
    assert y[:, 3:].equal(atrous_conv2d(x, module.branches[1].weight, rate=4, padding="same"))


def test_no_tensor_cores_is_an_error(draw):
    with pytest.raises(DeepLabError, match="tensor cores"):
        AtrousConv2d(4, 6, 3, precision="bf16")(draw(1, 4, 5, 5))


WRONG = {
    "AtrousConv2d: rate 0": lambda: AtrousConv2d(4, 6, 3, rate=0),
    "AtrousConv2d: kernel_size 0": lambda: AtrousConv2d(4, 6, 0),
    "AtrousConv2d: padding 'full'": lambda: AtrousConv2d(4, 6, 3, padding="full"),
    "AtrousConv2d: precision 'half'": lambda: AtrousConv2d(4, 6, 3, precision="half"),
    "AtrousConv2d: in_channels must be divisible": lambda: AtrousConv2d(4, 6, 3, groups=3),
    "AtrousConv2d: padding='same' is not supported": lambda: AtrousConv2d(4, 6, 3, padding="same", stride=2),
    "ASPP: no rates": lambda: ASPP(4, 3, ()),
    "ASPP: merge 'max'": lambda: ASPP(4, 3, merge="max"),
}


@pytest.mark.parametrize("message", WRONG)
def test_wrong_arguments(message):
    with pytest.raises(DeepLabError, match=message):
        WRONG[message]()
