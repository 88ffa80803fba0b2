"""The dense CRF on a GPU: construction and inference by pixels, labels, batch and flatness of the image."""

import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..crf.captured import CapturedCRF
from ..crf.dense_crf import DenseCRF
from ..crf.devices import backend_for
from ..crf.refinement import image_crf
from .crf import ITERATIONS, problem
from .crf import Case as Size
from .measure import machine
from .measure_device import device_peak, device_seconds

# Fractions of a photo's contrast; "noise" is the other extreme, every pixel a colour of its own.
CONTRASTS = {"photo": 1.0, "half": 0.5, "tenth": 0.1, "flat": 0.0, "noise": None}


class Case(NamedTuple):
    """Size of a problem; `batch` images at once, of a kind of CONTRASTS."""

    height: int
    width: int
    labels: int
    batch: int = 1
    kind: str = "photo"


def images_of(case: Case) -> tuple[list[np.ndarray], np.ndarray]:
    """`batch` different images (H, W, 3) and energies (H, W, labels)."""
    image, unary = problem(Size(case.height, case.width, case.labels))
    contrast = CONTRASTS[case.kind]
    if contrast is None:
        image = np.random.default_rng(1).integers(0, 256, image.shape, np.uint8)
    else:
        mean = image.mean((0, 1), keepdims=True)
        image = (mean + contrast * (image - mean)).round().astype(np.uint8)
    return [np.roll(image, 16 * number, axis=1) for number in range(case.batch)], unary


def run(
    cases: dict[str, list[Case]],
    rounds: int,
    device: str,
    check: bool = True,
    limit: float | None = None,
    save: Callable[[dict[str, Any]], None] = lambda _: None,
) -> dict[str, Any]:
    """The measurements of each group of cases, as plain data; see `measure`.

    `save` gets what there is after each case. limit: seconds after which no case is begun, but for the first.
    """
    place = backend_for(device).device
    about = machine()
    if place.type == "cuda":
        about["device"] = torch.cuda.get_device_name(place)
    end = time.monotonic() + (limit or float("inf"))
    done: dict[Case, dict[str, Any]] = {}
    result: dict[str, Any] = {}
    for case in dict.fromkeys(case for group in cases.values() for case in group):
        if done and time.monotonic() > end:
            break
        done[case] = measure(case, rounds, device, check and case.batch == 1)
        groups = {name: [done[c] for c in group if c in done] for name, group in cases.items()}
        result = {"machine": about, "iterations": ITERATIONS} | groups
        save(result)
    return result


def measure(case: Case, rounds: int, device: str, check: bool) -> dict[str, Any]:
    """Seconds of a case on the device; images and energies are there already, labels stay there.

    `construction`: lattices and their normalisation; `inference`: marginals and labels after ITERATIONS;
    `median`: of both in one go; `captured`: inference as a CUDA graph; each for the whole batch. `vertices`:
    of the bilateral lattice; `memory`: bytes of the device at most. check: `same_bits` as the CPU's.
    """
    place = backend_for(device).device
    arrays, unary = images_of(case)
    images = [torch.from_numpy(image).to(place) for image in arrays]
    energies = torch.from_numpy(unary).to(place).flatten(0, 1).repeat(case.batch, 1)
    device_peak(place)

    def build() -> DenseCRF:
        return image_crf(images, case.labels, device=device)

    def infer(model: DenseCRF) -> Tensor:
        model.unary(energies).infer(ITERATIONS)
        return model.map()

    model = build()
    entry: dict[str, Any] = {
        "size": list(case),
        "construction": _median(build, rounds, place),
        "inference": _median(lambda: infer(model), rounds, place),
        "seconds": device_seconds(lambda: infer(build()), rounds, place),
        "vertices": model.kernels[-1].lattice.vertices,
    }
    entry["median"] = statistics.median(entry["seconds"])
    captured = CapturedCRF(model, ITERATIONS)
    entry["captured"] = _median(lambda: captured(energies, check=False), rounds, place)
    entry["memory"] = device_peak(place)
    if check:
        expected = image_crf(arrays[0], case.labels).unary(unary).infer(ITERATIONS)
        result = model.unary(energies).infer(ITERATIONS).cpu().numpy()
        entry["same_bits"] = bool(np.array_equal(result.reshape(expected.shape), expected))
    return entry


def _median(run: Callable[[], Any], rounds: int, device: torch.device) -> float:
    return statistics.median(device_seconds(run, rounds, device))
