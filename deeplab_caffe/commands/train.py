"""`deeplab-caffe train`: trains a net by a solver.prototxt, as `caffe train` does."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import DeepLabError
from . import options
from .options import verb

if TYPE_CHECKING:
    from ..solver import Settings, Solver
    from ..solver.loop import Progress, Stop

# As for Ctrl-C in any other verb.
_STOPPED = 130


@verb("train")
def train(
    solver: Annotated[Path, typer.Option("--solver", "-s", metavar="PROTOTXT", help="The solver.prototxt.")],
    weights: Annotated[
        str | None,
        typer.Option("--weights", "-w", metavar="W[,W2]", help="Caffemodels to start from; later ones win."),
    ] = None,
    snapshot: Annotated[
        str | None,
        typer.Option(
            metavar="SOLVERSTATE",
            help="Go on from here; 'auto': from the newest with this snapshot_prefix, if there is one.",
        ),
    ] = None,
    variables: options.Variables = None,
    device: options.Device = "cpu",
    precision: options.Precision = "exact",
    threads: options.Threads = None,
    allow_python_layers: options.AllowPythonLayers = False,
) -> int:
    """Train a net; snapshots are Caffe's own files and go on bit for bit where they were taken.

    Beside them: PREFIX_log.jsonl (every display and test), PREFIX_events (TensorBoard), PREFIX_loss.png.
    Ctrl-C writes a snapshot and ends. Under torchrun the processes train together, each on its own images:
    on CPUs, or with --device cuda on a GPU each.
    """
    from ..solver import Solver, read_settings
    from ..solver.distributed import join
    from ..solver.loop import Stop

    if weights and snapshot and snapshot != "auto":
        raise DeepLabError("--snapshot: it has weights of its own; give it or --weights, not both")
    settings = read_settings(solver, options.parse_variables(variables))
    with join(device) as (peers, place), Stop().on_signals() as stop:
        # In a function of its own: what it holds of the other processes must go before they part.
        def work() -> int:
            trainer = Solver(settings, place, precision, threads, peers)
            start = _start(trainer, settings, weights, snapshot)
            return _run(trainer, settings, start, stop)

        return work()


def _start(solver: "Solver", settings: "Settings", weights: str | None, snapshot: str | None) -> str:
    """Loads what training starts from; tells what that is, and which layers did not fit."""
    from ..engine.weights import together
    from ..solver.snapshot import newest

    if snapshot == "auto":
        snapshot = newest(settings.prefix)
    if snapshot:
        solver.restore(snapshot)
        return f"going on from {snapshot}"
    files = [file for file in (weights or "").split(",") if file] or list(settings.param.weights)
    reports = solver.load(files)
    lines = ["starting from the weights" if files else "starting from the fillers", *map(str, reports)]
    if problem := together(reports).unfilled():
        lines.append(f"warning: {problem}")
    return "\n".join(lines)


def _run(solver: "Solver", settings: "Settings", start: str, stop: "Stop") -> int:
    from rich import progress as rich_progress

    from ..solver.log import TrainingLog
    from ..solver.loop import Loop

    if not solver.peers.first:
        return 0 if Loop(solver).run(stop) else _STOPPED
    console = options.console()
    count = sum(found.tensor.numel() for found in solver.learnables)
    head = f"{settings.source}: {settings.param.type}, {count:,} parameters, {start}"
    console.print(head, markup=False, soft_wrap=True)
    if settings.ignored:
        console.print(f"{settings.source}: without effect here: {', '.join(settings.ignored)}")
    columns = (
        rich_progress.BarColumn(),
        rich_progress.MofNCompleteColumn(),
        rich_progress.TextColumn("{task.description}"),
        rich_progress.TimeElapsedColumn(),
    )
    bar = rich_progress.Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    log = TrainingLog(settings.prefix, go_on=solver.iteration > 0)
    try:
        with bar:
            task = bar.add_task("", total=settings.param.max_iter, completed=solver.iteration)

            def show(now: "Progress") -> None:
                bar.update(task, completed=now.iteration, description=_describe(now))

            done = Loop(solver, log, bar.console.print, show).run(stop)
    finally:
        log.close()
    if not done:
        console.print(f"stopped after {solver.iteration} of {settings.param.max_iter} iterations")
    return 0 if done else _STOPPED


def _describe(now: "Progress") -> str:
    left = int(now.seconds_left)
    time_left = f"{left // 3600}:{left // 60 % 60:02d}:{left % 60:02d}"
    return (
        f"loss {now.smoothed:.4g}  lr {now.rate:.3g}  {now.images_per_second:.3g} images/s  {time_left} left"
    )
