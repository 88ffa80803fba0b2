"""Measures every tile of the exact CUDA convolution on layers of the nets, against the one that is chosen.

What kTileShapes in csrc/conv/cuda/conv_tile_plan.h says of them was counted; this is how to measure it.
Without a GPU it prints what would be chosen, for a GPU of 132 multiprocessors.
"""

import argparse
import json
import os
import statistics
import time
from itertools import product
from pathlib import Path

import torch

from deeplab_caffe import ops
from deeplab_caffe.bench.conv import Case, seconds
from deeplab_caffe.bench.conv_layers import LAYERS, ConvLayer
from deeplab_caffe.ops.device_convolution import TILE_VARIABLE, device_plan, tile_names

CUDA = torch.device("cuda")


def plan_of(layer: ConvLayer, image: int, batch: int, like: torch.Tensor):
    size, rate = layer.size(image), layer.rates[0]
    weights = (layer.outputs, layer.inputs, layer.kernel, layer.kernel)
    pairs = ((number, number) for number in (layer.stride, layer.pad(rate), rate))
    geometry = ops.ConvGeometry.of((batch, layer.inputs, size, size), weights, *pairs)
    return device_plan(ops.backend_of(like.device), geometry, like.device).plan


def measure(layer: ConvLayer, image: int, batch: int, names: list[str], rounds: int) -> dict:
    """Milliseconds of each tile, summed whole and split."""
    single = ConvLayer(**{**layer.__dict__, "rates": layer.rates[:1]})
    case = Case(single.at(image, batch), CUDA)
    plan = plan_of(single, image, batch, case.inputs[0])
    chosen = f"{names[plan.shape]} with {plan.whole} of {plan.tiles} tiles whole"
    run, found = case.ours("exact"), {}
    ways = ("whole", "split", "mixed") if plan.blocks > 1 else ("whole",)
    found[chosen] = 1e3 * statistics.median(seconds(run, len(case.inputs), rounds, CUDA))
    for tile in (f"{name},{way}" for name, way in product(names, ways)):
        os.environ[TILE_VARIABLE] = tile
        found[tile] = 1e3 * statistics.median(seconds(run, len(case.inputs), rounds, CUDA))
    del os.environ[TILE_VARIABLE]
    best = min(found, key=found.get)
    return {
        "layer": layer.name,
        "size": image,
        "batch": batch,
        "chosen": chosen,
        "best": best,
        "loss": found[chosen] / found[best] - 1,
        "milliseconds": found,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--limit", type=float, default=300, help="begin no layer after so many seconds")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    end, results = time.monotonic() + given.limit, []
    for layer, image, batch in product(LAYERS, (321, 513), (1, 8)):
        if len(layer.rates) > 1 or layer.groups > 1 or time.monotonic() > end:
            continue
        if not torch.cuda.is_available():
            with ops.emulated_cuda():
                like = torch.empty(0)
                names, plan = (
                    tile_names(ops.backend_of(like.device).native),
                    plan_of(layer, image, batch, like),
                )
            print(
                f"{layer.name:24} {image} x{batch}: {names[plan.shape]}, whole {plan.whole} of {plan.tiles}"
            )
            continue
        names = tile_names(ops.backend_of(CUDA).native)
        results.append(measure(layer, image, batch, names, given.rounds))
        last = results[-1]
        print(
            f"{layer.name:24} {image} x{batch}: chosen {last['chosen']}, best {last['best']}"
            f" ({last['milliseconds'][last['best']]:.3f} ms), {last['loss']:.0%} lost",
            flush=True,
        )
        torch.cuda.empty_cache()
        given.output.mkdir(parents=True, exist_ok=True)
        (given.output / "conv_tiles.json").write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
