"""Twins of ops.eltwise, and fma."""

import torch


def fma(a: torch.Tensor | float, b: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
    """a*b + c with one rounding for float32; for float64 plainly a*b + c.

    The product of two float32 is exact in float64. Its sum with c is rounded to odd (a last bit of 1
    remembers that something was lost), which makes the second rounding, to float32, right.
    """
    if c.dtype == torch.float64:
        return a * b + c
    product, addend = torch.as_tensor(a, dtype=b.dtype).double() * b.double(), c.double()
    total = product + addend
    part = total - product
    lost = (product - (total - part)) + (addend - part)
    even = total.view(torch.int64) % 2 == 0
    towards = torch.where(lost > 0, torch.inf, -torch.inf).double()
    odd = torch.where((lost != 0) & even & total.isfinite(), torch.nextafter(total, towards), total)
    return odd.to(c.dtype)


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
