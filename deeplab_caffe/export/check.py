"""Compares an exported net with the exact one: sizes, errors, labels."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from ..engine.net import Net
from ..errors import DeepLabError
from ..images.preprocessing import Preprocessing
from ..types import Shape

TOLERANCE = 1e-5  # of the largest score
PIXELS = 60.0  # the deviation of a photo's bytes, about
# Odd steps first: they show how windows end. Nets of several scales take few sizes.
_STEPS = ((-21, -42), (21, 42), (-32, -64), (32, 64), (-8, -16), (8, 16), (16, 32), (1, 2))


@dataclass
class Case:
    """Inputs, and what the exact net makes of them.

    scores: for an output of labels (ArgMax) the blob they were taken from and its axis, else None.
    """

    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]
    scores: dict[str, tuple[Tensor, int] | None]

    @property
    def size(self) -> str:
        """Of the first input."""
        return "x".join(map(str, next(iter(self.inputs.values())).shape))


@dataclass
class Result:
    """One output of one case in one target.

    error: the largest difference over the largest score; None for labels, and where there is nothing to
    compare, which `reason` tells. labels: how many positions have another best channel; sure: how many of
    them although the exact scores of the two channels differ by more than twice the tolerance.
    """

    target: str
    input: str
    output: str
    error: float | None
    labels: int
    sure: int
    passed: bool
    reason: str = ""

    def json(self) -> dict[str, Any]:
        """For a file."""
        return asdict(self)


def make_cases(net: Net, inputs: Sequence[str], outputs: Sequence[str]) -> list[Case]:
    """Two sizes of the images the net takes, the second a batch of two where it can be, or what there is."""
    shapes = [{name: net.inputs[name] for name in inputs}]
    other = _other_shapes(net, shapes[0])
    if other is not None:
        shapes.append(other)
    return [_case(net, given, outputs, seed) for seed, given in enumerate(shapes)]


def _other_shapes(net: Net, own: Mapping[str, Shape]) -> dict[str, Shape] | None:
    """Of another size and a batch of two; else of one of these; None: the net takes its own shapes only."""
    planes = [shape[2:] for shape in own.values() if len(shape) == 4]
    if planes:
        for batch in (2, 1):
            for rows, columns in _STEPS:
                size = planes[0][0] + rows, planes[0][1] + columns
                given = {name: _with(shape, planes[0], size, batch) for name, shape in own.items()}
                if min(size) > 0 and _fits(net, given):
                    return given
    given = {name: (2 * shape[0], *shape[1:]) if shape else shape for name, shape in own.items()}
    return given if _fits(net, given) else None


def _with(shape: Shape, plane: Shape, size: Shape, batch: int) -> Shape:
    """The shape with another size, if it was that of the plane, and so many times the images."""
    rest = (*shape[1:2], *size) if len(shape) == 4 and shape[2:] == plane else shape[1:]
    return (batch * shape[0], *rest) if shape else shape


def _fits(net: Net, shapes: dict[str, Shape]) -> bool:
    before = dict(net.inputs)
    try:
        net.shapes_for(**shapes)
        net.reshape(**shapes)
    except DeepLabError:
        return False
    net.reshape(**before)
    return True


def _case(net: Net, shapes: dict[str, Shape], outputs: Sequence[str], seed: int) -> Case:
    generator = torch.Generator().manual_seed(seed % 2**63)
    inputs = {name: _values(net, name, shape, generator) for name, shape in shapes.items()}
    behind = {name: _scores_of(net, name) for name in outputs}
    wanted = [*outputs, *(found[0] for found in behind.values() if found)]
    blobs = net.forward(list(dict.fromkeys(wanted)), None, **inputs)
    scores = {name: (blobs[found[0]], found[1]) if found else None for name, found in behind.items()}
    return Case(inputs, {name: blobs[name] for name in outputs}, scores)


def _values(net: Net, name: str, shape: Shape, generator: torch.Generator) -> Tensor:
    """An image's values, or numbers where a layer reads them as such."""
    for layer in net.layers:
        if name in layer.definition.bottoms and layer.type in ("Embed", "BatchReindex"):
            number = layer.definition.bottoms.index(name)
            if layer.type == "Embed":
                limit = layer.definition.param.embed_param.input_dim
            elif number == 1:
                limit = 1
            else:
                continue
            return torch.randint(0, limit, shape, generator=generator).float()
    return _spread(net, name) * torch.randn(shape, generator=generator)


def _spread(net: Net, name: str) -> float:
    """How far an image's values lie from 0, in the scale that the input's transform_param brings them to."""
    for layer in net.layers:
        if layer.type == "Input" and name in layer.definition.tops:
            transform = Preprocessing.of(layer.definition.param.transform_param)
            return PIXELS * transform.scale / (max(transform.std) if transform.std else 1)
    return PIXELS


def _scores_of(net: Net, output: str) -> tuple[str, int] | None:
    """For a blob of channel numbers, those of an ArgMax, the blob of the scores and their axis."""
    layer = next((one for one in reversed(net.layers) if output in one.definition.tops), None)
    if layer is None or layer.type != "ArgMax" or layer.definition.param.argmax_param.out_max_val:
        return None
    param = layer.definition.param.argmax_param
    flat = not layer.definition.dialect.argmax_keeps_axes and not param.HasField("axis")
    return layer.definition.bottoms[0], -1 if flat else param.axis if param.HasField("axis") else 1


def run_fresh(kind: str, file: Path, weights: Path, cases: Sequence[Case]) -> list[list[Tensor]]:
    """The outputs of an exported file for each case, from fresh.py in a process of its own.

    DeepLabError: it failed; the error's last line tells why.
    """
    with TemporaryDirectory() as folder:
        given, got = Path(folder, "inputs.pt"), Path(folder, "outputs.pt")
        torch.save([list(case.inputs.values()) for case in cases], given)
        request = {"kind": kind, "file": str(file), "weights": str(weights)}
        request |= {"inputs": str(given), "outputs": str(got)}
        done = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("fresh.py"))],
            input=json.dumps(request),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
            raise DeepLabError(f"{file}: does not run: {lines[-1]}")
        return torch.load(got, weights_only=True)


def compare(target: str, case: Case, outputs: Sequence[Tensor]) -> list[Result]:
    """One result for each of the net's outputs."""
    results = []
    for (name, exact), given in zip(case.outputs.items(), outputs, strict=True):
        where = target, case.size, name
        scores = case.scores[name]
        if given.shape != exact.shape:
            shapes = f"shape {tuple(given.shape)}, exact {tuple(exact.shape)}"
            results.append(Result(*where, None, 0, 0, False, shapes))
        elif scores is not None:
            results.append(_compare_labels(where, exact, given, *scores))
        else:
            results.append(_compare_scores(where, exact, given))
    return results


def _compare_scores(where: tuple[str, str, str], exact: Tensor, given: Tensor) -> Result:
    largest = exact.abs().max().item() or 1.0
    error = (given - exact).abs().max().item() / largest
    changed = sure = torch.zeros(1, dtype=torch.bool)
    if exact.dim() > 1 and exact.shape[1] > 1:
        best, labels = exact.topk(2, 1)
        changed = labels[:, 0] != given.argmax(1)
        sure = changed & (best[:, 0] - best[:, 1] > 2 * TOLERANCE * largest)
    passed = error <= TOLERANCE and not bool(sure.any())
    counts = int(changed.sum()), int(sure.sum())
    if not isfinite(error):
        return Result(*where, None, *counts, False, "NaN or infinite values")
    return Result(*where, error, *counts, passed)


def _compare_labels(
    where: tuple[str, str, str], exact: Tensor, given: Tensor, scores: Tensor, axis: int
) -> Result:
    """axis: of the scores; -1: labels count through all values of an image."""
    changed = int((exact != given).sum())
    rows, dim = (scores.flatten(1), 1) if axis == -1 else (scores, axis)
    if not bool((given.isfinite() & (given >= 0) & (given < rows.shape[dim])).all()):
        return Result(*where, None, changed, changed, False, "no labels")
    ours, theirs = (
        rows.gather(dim, (labels.flatten(1) if axis == -1 else labels).long()) for labels in (exact, given)
    )
    sure = int(((ours - theirs).abs() > 2 * TOLERANCE * rows.abs().max()).sum())
    return Result(*where, None, changed, sure, not sure)
