"""How a tensor-core launch cuts its work into tiles: made on the host, kept on the device."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import gcd
from typing import Any

import torch
from torch import Tensor

from .. import _C
from ..errors import DeepLabError
from .devices import keep_for_graphs
from .geometry import ConvGeometry
from .tensor_core_weights import tensor_core_type


@dataclass(frozen=True)
class Plan:
    """The tiles of a launch, and the number of the tile shape they were cut for."""

    shape: int
    table: Tensor
    items: int
    regions_at: int
    taps_at: int
    queues_at: int
    queues: int


_KEPT_PLANS = 16  # of each convolution's weights


@lru_cache(maxsize=256)
def _plan(
    geometries: tuple[ConvGeometry, ...],
    precision: str,
    tile: tuple[int, ...] | None,
    wgmma: bool,
    clusters: bool,
    processors: int,
) -> Plan:
    """Cuts the outputs of all branches into tiles: of `tile` rows and columns, or what should be fastest.

    clusters: whether blocks may share their weights in pairs; a third number of `tile` says how many do.
    """
    kind = tensor_core_type(precision)
    channels = gcd(*(geometry.out_channels // geometry.groups for geometry in geometries))
    shapes = [
        number
        for number, rows, columns, for_wgmma, cluster in _C.tensor_core_shapes(kind, channels)
        if for_wgmma == wgmma
        and (clusters or cluster == 1)
        and tile in (None, (rows, columns), (rows, columns, cluster))
    ]
    if not shapes:
        raise DeepLabError(
            f"tensor_core_conv: no kernel has tiles of {tile} in {precision} for {channels} channels"
        )
    convolutions = [geometry.native() for geometry in geometries]
    try:
        plans = [(shape, _C.TensorCoreTiles(convolutions, kind, shape, processors)) for shape in shapes]
    except ValueError as error:
        raise DeepLabError(str(error)) from None
    shape, tiles = min(plans, key=lambda plan: plan[1].longest)
    table = torch.empty(tiles.size, dtype=torch.int32)
    tiles.copy_to(table.data_ptr())
    places = tiles.items, tiles.regions_at, tiles.taps_at, tiles.queues_at, tiles.queues
    return Plan(shape, table, *places)


def plan_on(device: torch.device, plans: dict[Any, Plan], *key: Any) -> Plan:
    """_plan(*key) with its table on `device`, kept in `plans`."""
    if (device, key) not in plans:
        plan = _plan(*key)
        while len(plans) >= _KEPT_PLANS:
            plans.pop(next(iter(plans)))
        plans[device, key] = replace(plan, table=plan.table.to(device))
    keep_for_graphs(plans[device, key], device)  # others may push it out
    return plans[device, key]


def tensor_core_shapes(precision: str, channels: int = 8) -> list[tuple[int, int, bool]]:
    """The tiles there are kernels for: rows, columns, and whether the kernel is that for sm_90a.

    channels: of a group of the output; wide tiles want a multiple of 8.
    """
    shapes = _C.tensor_core_shapes(tensor_core_type(precision), channels)
    return [(rows, columns, hopper) for _, rows, columns, hopper, cluster in shapes if cluster == 1]


def tensor_core_tiles(
    geometries: Sequence[ConvGeometry], precision: str, tile: tuple[int, ...], wgmma: bool = False
) -> tuple[list[list[int]], list[list[int]], list[int]]:
    """How a launch cuts its work: items of 8 numbers, regions of 5, taps; see csrc/conv/tensor_core.h."""
    plan = _plan(tuple(geometries), precision, tile, wgmma, wgmma, 1)
    items = plan.table[: 8 * plan.items].view(-1, 8)
    regions = plan.table[plan.regions_at : plan.taps_at].view(-1, 5)
    return items.tolist(), regions.tolist(), plan.table[plan.taps_at : plan.queues_at].tolist()
