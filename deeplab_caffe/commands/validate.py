"""`deeplab-caffe validate`: a net's numbers against another program's, blob by blob."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import net_options, options, segmenter_options
from .numbers import MOST_ITERATIONS, finite, several
from .options import verb

if TYPE_CHECKING:
    from ..validate.results import Comparison, Diagnosis, Validation
    from ..validate.validation import Job

_MOST_ROWS = 12  # of the table of blobs, on a terminal
_DIFFERENT = 1  # exit code


@verb("validate")
def validate(
    model: options.Model,
    weights: options.Weights = None,
    random_weights: options.RandomWeights = False,
    against: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE|FOLDER",
            help="What the other program left: a folder of dumps (LAYER__BLOB.npy, BLOB.npy, forward.json), "
            ".npz, .h5, .mat, .bin, label PNGs, a caffemodel; repeat it.",
        ),
    ] = None,
    against_model: Annotated[
        Path | None, typer.Option(metavar="PROTOTXT", help="Instead: another net, which runs beside.")
    ] = None,
    against_weights: Annotated[
        Path | None, typer.Option(metavar="CAFFEMODEL", help="Instead: the net with other weights.")
    ] = None,
    against_precision: Annotated[str | None, typer.Option(help="Instead: it in another precision.")] = None,
    against_device: Annotated[str | None, typer.Option(help="Instead: it on another device.")] = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            metavar="[NAME=]FILE.npy|PHOTO",
            help="A blob, in place of what the net's own data layers give, or a photo; repeat it.",
        ),
    ] = None,
    image_list: Annotated[
        Path | None, typer.Option("--list", metavar="FILE", help="A list of photos, one a line.")
    ] = None,
    iterations: Annotated[
        int,
        typer.Option(
            min=1,
            max=MOST_ITERATIONS,
            help="Passes of a net that feeds itself; theirs lie in folders 000000 ...",
        ),
    ] = 1,
    ulp: Annotated[int, typer.Option(min=0, max=2**32, help="Values so many ulps apart count as equal.")] = 0,
    tolerance: Annotated[
        float,
        typer.Option(
            min=0, callback=finite, help="Blobs count as equal up to this share of their largest value."
        ),
    ] = 0.0,
    diagnose: Annotated[bool, typer.Option(help="Find out why they differ.")] = True,
    also_weights: Annotated[
        list[Path] | None,
        typer.Option(metavar="CAFFEMODEL", help="Weights that theirs may have been made with; repeat it."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FOLDER", help="Write report.html and report.json there."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print that JSON instead of tables.")] = False,
    mean: segmenter_options.Mean = None,
    scores_blob: segmenter_options.ScoresBlob = None,
    phase: net_options.Phase = "test",
    level: options.Level = 0,
    stages: options.Stages = None,
    dialect: options.Dialect = None,
    variables: options.Variables = None,
    device: options.Device = "cpu",
    precision: options.Precision = "exact",
    threads: options.Threads = None,
    allow_python_layers: options.AllowPythonLayers = False,
) -> int:
    """Compare every blob of a net with what another program computed; say where and why they differ.

    Exit code 0: equal (or within --ulp, --tolerance), 1: not, 2: an error.
    """
    from ..engine.read_model import read_model
    from ..engine.weights import check_given
    from ..segmenter.deploy_net import read_deploy_net
    from ..segmenter.segmenter import Segmenter
    from ..validate.comparing import Measure
    from ..validate.diagnosis.diagnose import diagnose as find_out
    from ..validate.pairing import without_writers
    from ..validate.request import Request, read_photos
    from ..validate.validation import validate as run

    rules = net_options.rules(variables, level, stages, dialect)
    blobs = [text for text in inputs or [] if text.lower().endswith(".npy")]
    photos = [text for text in inputs or [] if text not in blobs]
    photos += read_photos(image_list) if image_list else []
    read = read_deploy_net if photos else read_model
    definition = read(model, phase=phase, **rules)
    segmenter = None
    if photos:
        numbers = None if mean is None else several(mean, "--mean")
        segmenter = Segmenter(
            without_writers(definition),
            weights,
            mean=numbers,
            output=scores_blob,
            phase=phase,
            device=device,
            precision=precision,
            threads=threads,
            random_weights=random_weights,
        )
    request = Request(
        model=model,
        weights=weights,
        against=against or [],
        other_model=against_model,
        other_weights=against_weights,
        other_precision=against_precision,
        other_device=against_device,
        inputs=net_options.read_inputs(blobs, definition),
        photos=photos,
        segmenter=segmenter,
        iterations=iterations,
        phase=phase,
        rules=rules,
        device=device,
        precision=precision,
        threads=threads,
        measure=Measure(ulp, tolerance),
        paths=[
            *(("input", Path(text.rpartition("=")[2])) for text in blobs),
            *(("candidate weights", path) for path in also_weights or []),
        ],
    )
    command = shlex.join(["deeplab-caffe", *sys.argv[1:]])
    environment = request.environment(command)
    job = request.job()
    check_given(job.net.layers, weights, random_weights, str(model))
    with options.progress(options.console()) as bar:
        task = bar.add_task("layers", total=len(job.net.layers) * len(job.passes))

        def why(job: "Job", comparisons: "list[Comparison]", first: int) -> "Diagnosis":
            bar.update(task, description="diagnosis")
            candidates = [str(path) for path in also_weights or []]
            return find_out(
                job,
                comparisons,
                first,
                candidates,
                lambda name: bar.update(task, description=f"trying {name}"),
            )

        result = run(job, environment, why if diagnose else None, lambda: bar.advance(task))
    if output is not None:
        from ..validate.report import write_html

        options.write_json(output / "report.json", result.to_json())
        write_html(result, output / "report.html", definition)
    _print(result, as_json)
    return 0 if result.equal else _DIFFERENT


def _print(result: "Validation", as_json: bool) -> None:
    import json

    from rich.console import Console

    if as_json:
        print(json.dumps(result.to_json(), indent=1))
        return
    shown = [c for c in result.comparisons if c.status != "equal"]
    if shown:
        _print_blobs(shown)
    if result.diagnosis:
        _print_diagnosis(result.diagnosis)
    console = Console(highlight=False, soft_wrap=True)
    for what, unpaired in (("ours", result.unpaired_ours), ("theirs", result.unpaired_theirs)):
        if unpaired:
            names = ", ".join(one.name for one in unpaired[:4]) + (", ..." if len(unpaired) > 4 else "")
            console.print(f"without a partner, {what}: {len(unpaired)} ({names})", markup=False)
    console.print(result.headline, markup=False, style="bold")


def _print_blobs(shown: "list[Comparison]") -> None:
    from rich.markup import escape
    from rich.table import Table

    from ..validate.headline import how_much, place

    table = Table("blob", "status", "difference")
    for comparison in shown[:_MOST_ROWS]:
        table.add_row(escape(place(comparison)), comparison.status, escape(how_much(comparison)))
    if len(shown) > _MOST_ROWS:
        table.add_row(f"... and {len(shown) - _MOST_ROWS} more", "", "")
    options.print_table(table)


def _print_diagnosis(diagnosis: "Diagnosis") -> None:
    """For each hypothesis its best trial; report.json has them all."""
    from rich.markup import escape
    from rich.table import Table

    from ..validate.headline import best_trials

    table = Table("hypothesis", "tried", "best change", "error", "effect")
    for number, count in best_trials(diagnosis):
        trial = diagnosis.trials[number]
        error = "" if trial.error is None else f"{trial.error:.2g}"
        style = "bold" if number == diagnosis.best else ""
        table.add_row(trial.hypothesis, str(count), escape(trial.change), error, trial.effect, style=style)
    before = "" if diagnosis.error is None else f", relative error {diagnosis.error:.2g}"
    table.title = escape(f"at {diagnosis.probe}{before}")
    options.print_table(table)
