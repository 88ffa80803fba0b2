"""Twins of crf_ops, in the dtype of the input: dictionaries and loops over points."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch

Tensor = torch.Tensor
# The original embeds points in groups of four and fills the last one with zero features.
_GROUP = 4


class Lattice(NamedTuple):
    """For each point its vertices and weights; for each axis each vertex's two neighbours (-1: none)."""

    vertices: Tensor  # (points, d + 1)
    weights: Tensor  # (points, d + 1)
    neighbours: Tensor  # (d + 1, 2, number of vertices)


class Pairwise(NamedTuple):
    """See cpu_ops.Pairwise."""

    lattice: Lattice
    scale: Tensor
    before: Tensor | None = None
    label_weights: Tensor | None = None
    compatibility: Tensor | None = None


def embed(feature: Tensor) -> tuple[list[tuple[int, ...]], list[Tensor]]:
    """Keys and barycentric weights of the d + 1 vertices around a point (Adams et al. 2010, section 3)."""
    d, dtype = len(feature), feature.dtype
    deviation = float(torch.tensor(math.sqrt(2.0 / 3.0) * (d + 1), dtype=dtype))
    scale = torch.tensor([deviation / math.sqrt((i + 2) * (i + 1)) for i in range(d)], dtype=dtype)
    elevated = [torch.zeros((), dtype=dtype)] * (d + 1)
    total = torch.zeros((), dtype=dtype)
    for j in range(d, 0, -1):
        c = feature[j - 1] * scale[j - 1]
        elevated[j] = total - j * c
        total = total + c
    elevated[0] = total

    inverse = 1 / torch.tensor(float(d + 1), dtype=dtype)
    nearest = [int((e * inverse).round()) for e in elevated]
    remainder = [n * (d + 1) for n in nearest]
    rank = [sum(nearest)] * (d + 1)
    for i in range(d):
        for j in range(i + 1, d + 1):
            rank[i if elevated[i] - remainder[i] < elevated[j] - remainder[j] else j] += 1
    for i in range(d + 1):
        shift = d + 1 if rank[i] < 0 else -(d + 1) if rank[i] > d else 0
        rank[i] += shift
        remainder[i] += shift

    weights = [torch.zeros((), dtype=dtype)] * (d + 2)
    for i in range(d + 1):
        t = (elevated[i] - remainder[i]) * inverse
        weights[d - rank[i]] = weights[d - rank[i]] + t
        weights[d - rank[i] + 1] = weights[d - rank[i] + 1] - t
    weights[0] = weights[0] + (1 + weights[d + 1])
    keys = [
        tuple(remainder[i] + (r if rank[i] <= d - r else r - (d + 1)) for i in range(d)) for r in range(d + 1)
    ]
    return keys, weights[: d + 1]


def lattice(features: Tensor) -> Lattice:
    """See cpu_ops.lattice."""
    d, points = features.shape
    numbers: dict[tuple[int, ...], int] = {}
    vertices, weights = [], []
    filled = torch.nn.functional.pad(features, (0, -points % _GROUP))
    for feature in filled.t():
        keys, weight = embed(feature)
        vertices.append([numbers.setdefault(key, len(numbers)) for key in keys])
        weights.append(torch.stack(weight))
    neighbours = torch.full((d + 1, 2, len(numbers)), -1)
    for key, number in numbers.items():
        for axis in range(d + 1):
            for side, step in enumerate((-1, 1)):
                other = tuple(k - step * d if i == axis else k + step for i, k in enumerate(key))
                neighbours[axis, side, number] = numbers.get(other, -1)
    return Lattice(torch.tensor(vertices[:points]), torch.stack(weights[:points]), neighbours)


def lattice_filter(
    lattice: Lattice, values: Tensor, before: Tensor | None = None, adjoint: bool = False
) -> Tensor:
    """See cpu_ops.lattice_filter."""
    if before is not None:
        values = before[:, None] * values
    d = lattice.vertices.shape[1] - 1
    # The last row stays 0: the value of a vertex that is not there.
    table = values.new_zeros(lattice.neighbours.shape[2] + 1, values.shape[1])
    for value, vertices, weights in zip(values, lattice.vertices, lattice.weights, strict=True):
        for vertex, weight in zip(vertices, weights, strict=True):
            table[vertex] = table[vertex] + weight * value
    for previous, following in lattice.neighbours.flip(0) if adjoint else lattice.neighbours:
        blurred = table[:-1] + 0.5 * (table[previous] + table[following])
        table = torch.cat([blurred, table[-1:]])
    gain = 1 / (1 + torch.tensor(2.0, dtype=values.dtype) ** -d)
    result = torch.zeros_like(values)
    for r in range(d + 1):
        result = result + (lattice.weights[:, r] * gain)[:, None] * table[lattice.vertices[:, r]]
    return result


def lattice_ones(lattice: Lattice) -> Tensor:
    """See cpu_ops.lattice_ones."""
    return lattice_filter(lattice, lattice.weights.new_ones(len(lattice.weights), 1))[:, 0]


def fast_exp(x: Tensor) -> Tensor:
    """The original's approximation of exp(x) for x <= 0: halvings, a polynomial, squarings; 0 below -20."""
    a = -x
    halvings = torch.zeros_like(x)
    for k in range(5):
        halvings = halvings + (a.double() > 0.69 * 2**k)
    a = a / 2**halvings
    p = torch.full_like(x, 0.0001413161)
    for c in (0.0013298820, 0.0083013598, 0.0416573475, 0.1666653019, 0.4999999206, 0.9999999995, 1.0):
        p = c - a * p
    for k in range(5):
        p = torch.where(halvings > k, p * p, p)
    return torch.where(x < -20, 0.0, p)


def mean_field_start(unary: Tensor, true_exp: bool = False) -> Tensor:
    """See cpu_ops.mean_field_start."""
    return _softmax(-unary, true_exp)


def mean_field_iterate(
    kernels: Sequence[Pairwise], unary: Tensor, q: Tensor, iterations: int = 1, true_exp: bool = False
) -> Tensor:
    """See cpu_ops.mean_field_iterate."""
    for _ in range(iterations):
        logits = -unary
        for kernel in kernels:
            filtered = lattice_filter(kernel.lattice, q, kernel.before)
            if kernel.compatibility is not None:
                filtered = filtered @ kernel.compatibility
            elif kernel.label_weights is not None:
                filtered = filtered * kernel.label_weights
            logits = logits + kernel.scale[:, None] * filtered
        q = _softmax(logits, true_exp)
    return q


def mean_field(kernels: Sequence[Pairwise], unary: Tensor, iterations: int, true_exp: bool = False) -> Tensor:
    """See cpu_ops.mean_field."""
    return mean_field_iterate(kernels, unary, mean_field_start(unary, true_exp), iterations, true_exp)


def _softmax(logits: Tensor, true_exp: bool) -> Tensor:
    logits = logits - logits.amax(1, keepdim=True)
    e = logits.exp() if true_exp else fast_exp(logits)
    total = torch.zeros_like(e[:, 0])
    for column in e.unbind(1):
        total = total + column
    return e / total[:, None]
