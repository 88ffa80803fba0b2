"""Twins of ops.eltwise, and fma."""

import torch

# The bits of a float64 behind those of a float32, and where a float32 lies halfway to the next.
BEHIND, HALFWAY = (1 << 29) - 1, 1 << 28


def fma(a: torch.Tensor | float, b: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
    """a*b + c with one rounding for float32, broadcast to c's shape; for float64 plainly a*b + c.

    The product of two float32 is exact in float64, and of its sum with c the second rounding, to float32, is
    right but for sums halfway between two float32, and below the normal ones, where that is another place.
    """
    if c.dtype == torch.float64:
        return a * b + c
    product, addend = torch.as_tensor(a, dtype=b.dtype).double() * b.double(), c.double()
    total = product + addend
    size = total.abs()
    halfway = (total.view(torch.int64) & BEHIND) == HALFWAY
    if (halfway | ((size < torch.finfo(c.dtype).smallest_normal) & (size > 0))).any():
        total = rounded_to_odd(total, product, addend)
    return total.to(c.dtype)


def rounded_to_odd(total: torch.Tensor, product: torch.Tensor, addend: torch.Tensor) -> torch.Tensor:
    """The float64 sum of both, the last bit 1 where something was lost: then a second rounding is right."""
    part = total - product
    lost = (product - (total - part)) + (addend - part)
    even = total.view(torch.int64) % 2 == 0
    towards = torch.where(lost > 0, torch.inf, -torch.inf).double()
    return torch.where((lost != 0) & even & total.isfinite(), torch.nextafter(total, towards), total)


def eltwise(
    operation: str,
    bottoms: list[torch.Tensor],
    coefficients: list[float],
    out: torch.Tensor | None = None,
    threads: int | None = None,
) -> torch.Tensor:
    """See ops.eltwise."""
    if operation == "sum":
        result = torch.zeros_like(bottoms[0])
        for coefficient, bottom in zip(coefficients, bottoms, strict=True):
            result = fma(coefficient, bottom, result)
        return result
    result = bottoms[0]
    for number, bottom in enumerate(bottoms[1:], 1):
        if operation == "prod":
            result = result * bottom
        else:
            first_wins = result > bottom if number == 1 else ~(bottom > result)
            result = torch.where(first_wins, result, bottom)
    return result
