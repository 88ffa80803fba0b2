"""What a training leaves behind beside snapshots: a log of JSON lines, TensorBoard scalars, the loss curve.

PREFIX_log.jsonl, PREFIX_events/, PREFIX_loss.png.
"""

import json
import math
import os
import time
from pathlib import Path
from typing import Any

from torch import Tensor

from ..evaluation import charts
from ..formats.files import file_error, read_bytes
from ..formats.tensorboard import EventWriter

_MAX_LOG = 1 << 30
_DRAW_EVERY = 60  # seconds


class TrainingLog:
    """Writes the files of one training; with `go_on` it adds to the log it finds, else it starts a new one.

    A line is {"iteration", "loss", "smoothed", "lr", "images_per_second", outputs...} (training) or
    {"iteration", "test": number of the test net, outputs...}. Outputs with one value are numbers, longer ones
    lists; very long ones are left out.
    """

    def __init__(self, prefix: str, go_on: bool = False) -> None:
        self.log, self.curve = Path(f"{prefix}_log.jsonl"), Path(f"{prefix}_loss.png")
        try:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(self.log, "a" if go_on else "w", encoding="utf-8")
        except OSError as error:
            raise file_error(self.log, error) from None
        if self._file.tell():
            self._file.write("\n")  # a crash may have cut off the last line
        self._events = EventWriter(f"{prefix}_events")
        self._drawn = time.monotonic()

    def write(self, record: dict[str, Any]) -> None:
        """Adds a record to the log and its numbers to the TensorBoard scalars."""
        self._file.write(json.dumps({name: _finite(value) for name, value in record.items()}) + "\n")
        self._file.flush()
        group = f"test{record['test']}" if "test" in record else "train"
        scalars = {}
        for name, value in record.items():
            values = value if isinstance(value, list) else [value]
            if name not in ("iteration", "test"):
                for i, number in enumerate(values):
                    scalars[f"{group}/{name}" + (f"/{i}" if len(values) > 1 else "")] = number
        self._events.scalars(record["iteration"], scalars)

    def draw(self) -> None:
        """Draws the loss curve from the log, unless that was done a moment ago."""
        if time.monotonic() - self._drawn > _DRAW_EVERY:
            self._draw()

    def _draw(self) -> None:
        draw_curve(read_log(self.log), self.curve)
        self._drawn = time.monotonic()

    def close(self) -> None:
        """Draws the curve and closes the files."""
        self._draw()
        self._file.close()
        self._events.close()


def plain_outputs(outputs: dict[str, Tensor], longest: int = 64) -> dict[str, float | list[float]]:
    """Outputs as JSON keeps them; those of more than `longest` values are left out."""
    plain: dict[str, float | list[float]] = {}
    for name, tensor in outputs.items():
        values = tensor.flatten().tolist() if tensor.numel() <= longest else []
        if values:
            plain[name] = values[0] if len(values) == 1 else values
    return plain


def read_log(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """The records of a log in the order of iterations; of two for one iteration the later counts.

    Lines that were cut off by a crash are skipped.
    """
    found: dict[tuple[int, int], dict[str, Any]] = {}
    for line in read_bytes(path, _MAX_LOG).decode("utf-8", "replace").splitlines():
        try:
            record = json.loads(line)
            found[int(record["iteration"]), int(record.get("test", -1))] = record
        except (ValueError, KeyError, TypeError):
            continue
    return [found[key] for key in sorted(found)]


def draw_curve(records: list[dict[str, Any]], path: str | os.PathLike[str]) -> None:
    """Draws the loss, its running mean and the learning rate over the iterations, as a PNG."""
    train = [record for record in records if "test" not in record and "loss" in record]
    figure, (axes,) = charts.figure(8, 4.5)
    iterations = [record["iteration"] for record in train]
    axes.plot(iterations, [record["loss"] for record in train], color="#9db8d9", lw=0.8, label="loss")
    axes.plot(iterations, [record["smoothed"] for record in train], color="#1f4e8c", lw=1.5, label="smoothed")
    for number in sorted({record["test"] for record in records if "test" in record}):
        tests = [record for record in records if record.get("test") == number]
        for name in tests[0]:
            values = [(record["iteration"], record.get(name)) for record in tests]
            if "loss" in name and all(isinstance(value, float) for _, value in values):
                axes.plot(*zip(*values, strict=True), "o-", ms=3, label=f"test {number}: {name}")
    axes.set_xlabel("iteration")
    axes.set_ylabel("loss")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    rates = axes.twinx()
    rates.plot(
        iterations, [record["lr"] for record in train], color="#c0504d", lw=1, ls=":", label="learning rate"
    )
    rates.set_ylabel("learning rate")
    rates.set_ylim(bottom=0)
    lines = [*axes.get_lines(), *rates.get_lines()]
    axes.legend(lines, [str(line.get_label()) for line in lines], loc="upper right")
    charts.save(figure, path)


def _finite(value: Any) -> Any:
    """The value with None for NaN and infinities, which JSON has no words for."""
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return value if not isinstance(value, float) or math.isfinite(value) else None
