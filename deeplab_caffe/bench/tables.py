"""What the reports of all benchmarks share: the form of their tables, the machine's name."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table


def table(title: str, words: Sequence[str], numbers: Sequence[str]) -> Table:
    """An empty table with columns of words, at the left, and of numbers."""
    result = Table(title=title)
    for heading in words:
        result.add_column(heading)
    for heading in numbers:
        result.add_column(heading, justify="right")
    return result


def machine(result: dict[str, Any]) -> str:
    """The name of the GPU or CPU that a benchmark ran on."""
    about = result["machine"]
    return about.get("device", about["cpu"])


def size(height: int, width: int) -> str:
    """Height and width as they are written everywhere: 321x481."""
    return f"{height}x{width}"
