"""Each family of kernels once, on small shapes, against the CPU's bits: on the GPU, or on the emulator.

`python benchmarks/stages/smoke.py [NAME ...]`; a line for each, status 1 if any differs or fails.
"""

import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from deeplab_caffe import ops
from deeplab_caffe.crf.refinement import image_crf

FAMILIES: dict[str, Callable[[], Iterator[tuple[str, Any, Any]]]] = {}
GPU = torch.cuda.is_available()


def family(function: Callable[[], Iterator[tuple[str, Any, Any]]]) -> Callable:
    """Registers what yields (name, device's result, expected) of some kernels."""
    FAMILIES[function.__name__] = function
    return function


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def integers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randint(-2, 3, shape, generator=torch.Generator().manual_seed(seed)).float()


def there(value: Any) -> Any:
    if torch.is_tensor(value):
        return value.cuda() if GPU else value
    return [there(one) for one in value] if isinstance(value, list) else value


def on_device(op: Callable[..., Tensor], *arguments: Any, **named: Any) -> Tensor:
    with nullcontext() if GPU else ops.emulated_cuda():
        return op(*map(there, arguments), **{name: there(value) for name, value in named.items()}).cpu()


def both(op: Callable[..., Tensor], *arguments: Any, **named: Any) -> tuple[Tensor, Tensor]:
    return on_device(op, *arguments, **named), op(*arguments, **named)


@family
def exact() -> Iterator[tuple[str, Any, Any]]:
    x, w = draw(2, 40, 21, 19), draw(70, 40, 3, 3, seed=1)
    yield "3x3 rate 6", *both(ops.atrous_conv, x, w, pad=(6, 6), dilation=(6, 6))
    yield "stride 2", *both(ops.atrous_conv, x, w, stride=(2, 2), pad=(1, 1))
    yield "1x1", *both(ops.atrous_conv, x, draw(21, 40, 1, 1))


@family
def depthwise() -> Iterator[tuple[str, Any, Any]]:
    x = draw(2, 24, 21, 19)
    for rate in (1, 6):
        named = {"pad": (rate, rate), "dilation": (rate, rate), "groups": 24}
        yield f"rate {rate}", *both(ops.atrous_conv, x, draw(24, 1, 3, 3), **named)


@family
def pixelwise() -> Iterator[tuple[str, Any, Any]]:
    x = draw(2, 21, 13, 17)
    yield "relu", *both(ops.relu, x)
    yield "exp", *both(ops.exp, x)
    yield "max pool", *both(ops.max_pool, x, (3, 3), (2, 2), (1, 1))
    yield "average pool", *both(ops.average_pool, x, (3, 3), (1, 1), (1, 1))
    yield "interp", *both(ops.interp, x, (33, 41))
    yield "softmax", *both(ops.softmax, x)
    yield "argmax", *both(lambda x: ops.argmax(x)[0], x)


@family
def crf() -> Iterator[tuple[str, Any, Any]]:
    generator = np.random.default_rng(0)
    image = generator.integers(0, 256, (24, 31, 3), np.uint8)
    unary = (generator.random((24, 31, 5), np.float32) * 4).astype(np.float32)
    expected = np.asarray(image_crf(image, 5).unary(unary).infer(3)).reshape(-1)
    with nullcontext() if GPU else ops.emulated_cuda():
        model = image_crf(there(torch.from_numpy(image)), 5, device="cuda")
        found = model.unary(there(torch.from_numpy(unary))).infer(3)
        yield "3 iterations", found.cpu().reshape(-1), torch.from_numpy(expected)


def tensor_cores(wgmma: bool) -> Iterator[tuple[str, Any, Any]]:
    x, w, b = integers(2, 64, 9, 10), integers(45, 64, 3, 3, seed=1), integers(45, seed=2)
    expected = F.conv2d(x, w, b, padding=4, dilation=4)

    def convolve(x: Tensor, w: Tensor, b: Tensor, precision: str) -> Tensor:
        packed = ops.pack_tensor_core(w, b, 1, precision)
        named = {"pad": (4, 4), "dilation": (4, 4), "wgmma": wgmma, "float_output": True}
        return ops.tensor_core_conv(x, packed, **named)

    for precision in ops.TENSOR_CORE_DTYPES:
        yield precision, on_device(convolve, x, w, b, precision), expected


@family
def mma() -> Iterator[tuple[str, Any, Any]]:
    yield from tensor_cores(False)


@family
def wgmma() -> Iterator[tuple[str, Any, Any]]:
    if not GPU or torch.cuda.get_device_capability() == (9, 0):
        yield from tensor_cores(True)


def same_bits(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.equal(
        a.contiguous().view(torch.uint8), b.contiguous().view(torch.uint8)
    )


def main(names: list[str]) -> int:
    where = torch.cuda.get_device_name() if GPU else "the emulator"
    print(f"each family of kernels once, on {where}", flush=True)
    failed, left = 0, names or list(FAMILIES)
    while left:
        name, begun = left.pop(0), time.monotonic()
        try:
            for case, found, expected in FAMILIES[name]():
                good = same_bits(found, expected)
                failed += not good
                print(f"{name}, {case}: {'same bits' if good else 'DIFFERENT'}", flush=True)
        except Exception:
            failed += 1
            traceback.print_exc()
            print(f"{name}: FAILED", flush=True)
            if GPU and left:  # nothing may work any more in this process
                subprocess.run([sys.executable, __file__, *left])
                break
        print(f"  {name}: {time.monotonic() - begun:.1f} s", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
