"""Convolution on the device: a geometry's plan is made once, its tables stay on the device."""

import os
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from ..errors import DeepLabError
from .backend import Backend
from .devices import keep_for_graphs
from .geometry import ConvGeometry

# Which tiles the kernel uses, for benchmarks: "128x64x128" (output channels x positions x threads), then
# ",whole", ",split" or ",mixed": whether each block of a tile's reduction is a work item of its own, for no
# tile, for all, or for those left over after full rounds of the multiprocessors.
TILE_VARIABLE = "DEEPLAB_CAFFE_CONV_TILE"
KEPT_PLANS = 1024


@dataclass(frozen=True)
class DevicePlan:
    """How one geometry is convolved, and the tables of that in the device's memory."""

    plan: Any
    tables: Tensor


def tile_names(native: ModuleType) -> list[str]:
    """The tiles there are, as `TILE_VARIABLE` names them."""
    return ["x".join(map(str, shape)) for shape in native.conv_tile_shapes()]


@lru_cache(KEPT_PLANS)
def _tile_choice(native: ModuleType, wanted: str) -> tuple[int, int]:
    """The numbers of the tile and of the way to sum; -1: the plan chooses."""
    tile, _, way = wanted.partition(",")
    names, ways = tile_names(native), ["whole", "split", "mixed"]
    if (tile and tile not in names) or (way and way not in ways):
        given = f"{TILE_VARIABLE}={wanted}"
        raise DeepLabError(f"{given}: one of {', '.join(names)} wanted, then ,whole ,split ,mixed or nothing")
    return names.index(tile) if tile else -1, ways.index(way) if way else -1


@lru_cache(KEPT_PLANS)
def _device_plan(
    backend: Backend,
    geometry: ConvGeometry,
    device: torch.device,
    processors: int,
    choice: tuple[int, int],
) -> DevicePlan:
    try:
        native = backend.native
        plan = native.ConvTilePlan(geometry.native(native), processors, *choice)
    except ValueError as error:
        raise DeepLabError(str(error)) from None
    tables = torch.empty(plan.table_bytes, dtype=torch.uint8)
    plan.write_tables(tables.data_ptr())
    return DevicePlan(plan, tables.to(device))


@lru_cache(KEPT_PLANS)
def _processors(backend: Backend, device: torch.device) -> int:
    return backend.native.processors(backend.executor(device))


def device_plan(backend: Backend, geometry: ConvGeometry, device: torch.device) -> DevicePlan:
    """The plan for a geometry, made on first use."""
    choice = _tile_choice(backend.native, os.environ.get(TILE_VARIABLE, ""))
    plan = _device_plan(backend, geometry, device, _processors(backend, device), choice)
    keep_for_graphs(plan, device)
    return plan


def convolve_on_device(
    backend: Backend, geometry: ConvGeometry, x: int, packed: int, steps: list[Any], y: int, like: Tensor
) -> None:
    """Convolves; x, packed, y: addresses on the device of `like`. See ops.atrous_conv."""
    native, stream = backend.native, backend.executor(like.device)
    own = geometry.native(native)
    try:
        if own.depthwise:
            native.depthwise_conv(own, x, packed, steps, y, stream)
            return
        planned = device_plan(backend, geometry, like.device)
        scratch = torch.empty(planned.plan.scratch, device=like.device)
        native.atrous_conv(
            planned.plan, planned.tables.data_ptr(), x, packed, steps, y, scratch.data_ptr(), stream
        )
    except ValueError as error:
        raise DeepLabError(str(error)) from None
