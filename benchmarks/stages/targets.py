"""What the kernels shall reach on an H200, and what was measured of it."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

PEAK = 67e12  # float32 operations a second, without tensor cores


def read(path: Path) -> dict[str, Any] | None:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


def targets(work: Path, steps: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of {"target", "wanted", "measured", "met"}; met is None for what was not measured."""
    return [*_bits(steps), *_conv(work), *_net(work), *_crf(work)]


def _row(target: str, wanted: str, measured: str | None, met: bool | None) -> dict[str, Any]:
    return {"target": target, "wanted": wanted, "measured": measured, "met": met}


def _bits(steps: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Tests of bits, on a GPU; those of a file that did not end are missing from both numbers."""
    tests = [step.get("tests", {}) for step in steps if step["stage"] == "c"]
    passed, failed = (
        sum(count.get(word, 0) for count in tests for word in words)
        for words in (("passed",), ("failed", "error"))
    )
    measured = f"{failed} (of {passed + failed})" if passed + failed else None
    yield _row("tests of the exact bits that fail", "0", measured, failed == 0 if measured else None)


def _least(target: str, limit: float, values: dict[str, float], form: str) -> dict[str, Any]:
    """Whether the least of all values reaches `limit`."""
    wanted = f">= {format(limit, form)}"
    if not values:
        return _row(target, wanted, None, None)
    worst = min(values, key=values.__getitem__)
    reached = f"{format(values[worst], form)} ({worst}; of {len(values)})"
    return _row(target, wanted, reached, values[worst] >= limit)


def _conv(work: Path) -> Iterator[dict[str, Any]]:
    found = {}
    for folder in ("headline/exact", "headline/bf16", "tail"):
        for row in (read(work / folder / "conv_gpu.json") or {}).get("results", []):
            found[f"{row['layer']}, {row['size']}, batch {row['batch']}", row["candidate"]] = row
    exact = {case: row for (case, name), row in found.items() if name == "ours exact"}
    wide = {
        case: row["needed_tflops"] * 1e12 / PEAK
        for case, row in exact.items()
        if case.startswith(("conv5", "conv4_2", "fc6", "aspp", "res5"))
    }
    yield _least("exact, layers of 512 channels, of 67 TFLOP/s", 0.75, wide, ".0%")
    dilated = {case: row["ratio"] for case, row in exact.items() if row["dilated"]}
    yield _least("exact, times cuDNN's best strict float32", 1.2, dilated, ".2f")
    fast = {
        f"{case}, {name.removeprefix('ours ')}": row["ratio"]
        for (case, name), row in found.items()
        if name.startswith("ours") and name != "ours exact" and row["dilated"]
    }
    yield _least("tensor cores, dilated layers, times cuDNN", 1.0, fast, ".2f")
    far = {case: ratio for case, ratio in fast.items() if "rate 18" in case or "rate 24" in case}
    yield _least("tensor cores, rates 18 and 24, times cuDNN", 2.0, far, ".2f")


def _milliseconds(target: str, limit: float, times: list[float]) -> dict[str, Any]:
    best = min(times, default=None)
    measured = None if best is None else f"{best:.2f} ms"
    return _row(target, f"<= {limit} ms", measured, None if best is None else best <= limit)


def _net(work: Path) -> Iterator[dict[str, Any]]:
    rows = (read(work / "headline/net_largefov_gpu.json") or {}).get("results", [])
    for precision, limit in (("exact", 5.5), ("bf16", 1.2)):
        times = [
            1e3 * row["median"] / row["batch"]
            for row in rows
            if row["candidate"] == f"ours {precision}" and row["size"] == [513, 513]
        ]
        yield _milliseconds(f"LargeFOV 513x513, {precision}, an image", limit, times)


def _crf(work: Path) -> Iterator[dict[str, Any]]:
    rows = (read(work / "headline/crf_gpu.json") or {}).get("results", [])
    rows = [row for row in rows if row["size"][:3] == [513, 513, 21]]
    yield _milliseconds("CRF 513x513x21, an image", 3.0, [1e3 * r["median"] / r["size"][3] for r in rows])
    same = [row["same_bits"] for row in rows if "same_bits" in row]
    yield _row("CRF, bits", "the CPU's", ("the CPU's" if all(same) else "others") if same else None,
               all(same) if same else None)  # fmt: skip
