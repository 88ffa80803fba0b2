"""The steps of a net's forward as they are run, with their times."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import torch

from ..layers import Layer
from ..types import Shape
from .dag import Node
from .execution import torch_threads
from .inputs import as_tensors
from .net import Net
from .passes.row_bands import RowBands


class Step(NamedTuple):
    """A layer with those fused into it, or several that run a band of rows at a time.

    layers: those that compute, by their index in the prototxt; shapes: of the blobs it reads and writes.
    """

    layers: dict[int, Layer]
    shapes: list[Shape]
    parameters: int
    seconds: float


def timed_steps(net: Net, clock: Callable[[], float], **inputs: Any) -> list[Step]:
    """The steps of a forward, which is run, of a net that has run with these sizes before.

    Those that only share memory are left out. For nets on the CPU in exact or fp32, which run layer by layer.
    """
    given = as_tensors(inputs, net.inputs, net.definition.source, net.device)
    execution, values = net._prepared(None, given, "forward")
    marks = [clock()]
    with torch.no_grad(), torch_threads(net.context.threads):
        execution(values, None, lambda *_: marks.append(clock()))
    schedule = execution.schedule
    steps = []
    for node, (start, end) in zip(schedule.nodes, pairwise(marks), strict=True):
        if node in schedule.plan.repeats or node.layer.fed_by_caller:
            continue
        tops = node.tops[:1] if isinstance(node, RowBands) else node.tops  # without its scratch
        shapes = [schedule.shapes[value] for value in (*node.bottoms, *tops)]
        parts: list[Node] = [s.node for s in node.stages] if isinstance(node, RowBands) else [node]
        parameters = sum(blob.count for blob in node.parameters)
        layers = {part.index: part.layer for part in parts}
        steps.append(Step(layers, shapes, parameters, end - start))
    return steps
