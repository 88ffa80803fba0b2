"""Measures other forms of the CUDA kernels (csrc/platform/cuda/switches.h) beside today's, in one process.

Those are measured that are built: DEEPLAB_CAFFE_VARIANTS=all python setup.py build_ext --inplace. Each round
measures today's form, then the other; results must be the same bits. Without a GPU the emulator rehearses.
"""

import argparse
import importlib.util
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
import build_ninja
from deeplab_caffe import ops
from deeplab_caffe.bench.conv import Case, seconds
from deeplab_caffe.bench.conv_layers import ConvLayer
from deeplab_caffe.crf.captured import CapturedCRF
from deeplab_caffe.crf.refinement import image_crf

GPU = torch.cuda.is_available()
DEVICE = torch.device("cuda" if GPU else "cpu")
LAYERS = (
    ConvLayer("conv5 rate 2", 512, 512, 3, (2,)),
    ConvLayer("fc6 rate 12", 512, 1024, 3, (12,)),
    ConvLayer("res4 rate 2", 256, 256, 3, (2,)),
)
SMALL = (ConvLayer("small rate 2", 40, 48, 3, (2,)),)
PRECISIONS = {
    "ignore_source": ("bf16", "tf32", "fp32"),
    "consumer_fence": ("bf16", "fp16", "tf32", "fp32"),
    "cluster_weights": ("bf16", "tf32", "fp32"),
    "register_banks": ("exact",),
}
# Makes what is measured, called with the number of an input, and tells how many inputs there are.
Make = Callable[[], tuple[Callable[[int], list[Tensor]], int]]


def is_built(variant: str) -> bool:
    module = "_cuda" if GPU else "_cuda_emulated"
    return importlib.util.find_spec(f"deeplab_caffe.{module}_{variant}") is not None


def convolution(layer: ConvLayer, image: int, batch: int, precision: str) -> tuple[Any, int]:
    case = Case(layer.at(image, batch), DEVICE)
    return case.ours(precision), len(case.inputs)


def inference(size: int, labels: int, iterations: int) -> tuple[Any, int]:
    generator = np.random.default_rng(0)
    image = torch.from_numpy(generator.integers(0, 256, (size // 8, size // 8, 3), np.uint8))
    image = image.repeat_interleave(8, 0).repeat_interleave(8, 1).to(DEVICE)
    energies = torch.from_numpy(generator.random((*image.shape[:2], labels), np.float32)).to(DEVICE)
    captured = CapturedCRF(image_crf(image, labels, device="cuda"), iterations)
    return lambda number: [captured(energies, check=False)], 1


def cases(variant: str) -> Iterator[tuple[str, Make]]:
    if variant == "fused_blur":
        size, labels, iterations = (512, 21, 10) if GPU else (16, 5, 2)
        yield f"CRF {size}x{size}x{labels}", partial(inference, size, labels, iterations)
        return
    layers, images, batches = (LAYERS, (321, 513), (1, 8)) if GPU else (SMALL, (65,), (1,))
    for layer, image, batch, precision in product(layers, images, batches, PRECISIONS[variant]):
        name = f"{precision}, {layer.name}, {image} x{batch}"
        yield name, partial(convolution, layer, image, batch, precision)


def measure(variant: str, make: Make, rounds: int) -> dict[str, Any]:
    """Seconds of both forms, a round each in turn."""
    forms, results, runs = ("", variant), {}, {}
    for name in forms:
        with ops.cuda_variant(name):
            run, inputs = runs[name] = make()
            results[name] = [y.clone() for y in run(0)]
    times: dict[str, list[float]] = {name: [] for name in forms}
    for _ in range(rounds):
        for name in forms:
            run, inputs = runs[name]
            with ops.cuda_variant(name):
                times[name] += seconds(run, inputs, 1, DEVICE)
    today, other = (statistics.median(times[name]) for name in forms)
    same = all(torch.equal(a, b) for a, b in zip(results[""], results[variant], strict=True))
    return {"today": today, "other": other, "gain": today / other - 1, "same_bits": same}


def main() -> int:
    """Status 1 if bits differ or nothing is built."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--limit", type=float, default=100, help="begin no case after so many seconds")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    built = [variant for variant in build_ninja.VARIANTS if is_built(variant)]
    if not built:
        print("no variant is built; DEEPLAB_CAFFE_VARIANTS=all builds them")
        return 1
    end, results = time.monotonic() + given.limit, []
    given.output.mkdir(parents=True, exist_ok=True)
    todo = {variant: list(cases(variant)) for variant in built}
    for number in range(max(map(len, todo.values()))):  # a case of each before the second of any
        for variant in [variant for variant in built if number < len(todo[variant])]:
            if time.monotonic() > end:
                break
            name, make = todo[variant][number]
            with nullcontext() if GPU else ops.emulated_cuda():
                found = {"variant": variant, "case": name, **measure(variant, make, given.rounds)}
            results.append(found)
            (given.output / "switches.json").write_text(json.dumps(results, indent=1))
            bits = "same bits" if found["same_bits"] else "DIFFERENT BITS"
            times = f"{1e3 * found['today']:.3f} ms, {1e3 * found['other']:.3f} ms"
            print(f"{variant:15} {name:32} {times}, {found['gain']:+.1%}, {bits}", flush=True)
            if GPU:
                torch.cuda.empty_cache()
    return int(not all(found["same_bits"] for found in results))


if __name__ == "__main__":
    sys.exit(main())
