import torch

from deeplab_caffe import ops
from tests import reference
from tests.values import normal


def test_packed_weights():
    """Unit u of a channel's 128 bytes lies at place u ^ channel % 8."""
    w = normal(21, 24, 3, 3)
    packed = ops.pack_tensor_core(w, normal(21), precision="fp16")
    chunks = packed.values.shape[1]
    values = packed.values.reshape(chunks, 24, 8, 8)
    rows = torch.stack([values[:, n, [u ^ n % 8 for u in range(8)]] for n in range(24)])
    plain = rows.flatten(1)[:, : 9 * 24].view(24, 9, 24)
    assert torch.equal(plain[:21], w.half().flatten(2).transpose(1, 2))
    assert not plain[21:].any()
    assert packed.bias.shape == (1, 24)


def test_round_tf32():
    x = torch.cat(
        [normal(1000), torch.tensor([0.0, -0.0, 1 + 2**-11, -1 - 2**-11, float("inf"), float("-inf")])]
    )
    assert torch.equal(ops.round_tf32(x)[:1004].double(), reference.round_operand(x[:1004], "tf32"))
    assert ops.round_tf32(x)[1004:].isinf().all()
    assert ops.round_tf32(torch.tensor([float("nan")])).isnan().all()
