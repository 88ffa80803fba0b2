"""`deeplab-caffe run`: the stages of the original run scripts, from one TOML file."""

from pathlib import Path
from typing import Annotated

import typer

from .. import options
from ..options import verb


@verb("run")
def run(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.toml", help="What to do; see docs/training.md.")],
    stages: Annotated[
        str | None,
        typer.Option(metavar="STAGE,...", help="Only these: train, test, train2, test2, crf, evaluation."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the commands, run none.")] = False,
    variables: options.Variables = None,
    allow_python_layers: options.AllowPythonLayers = False,
) -> int:
    """Train, test, train again, test again, refine with the CRF and evaluate, as the original scripts did.

    Each stage is commands of this program, printed before they run; the first that fails ends the run. A
    training that was interrupted goes on from its newest snapshot.
    """
    import shlex

    from .. import main
    from .config import read_config
    from .stages import plan

    only = None if stages is None else [stage.strip() for stage in stages.split(",") if stage.strip()]
    commands = plan(read_config(config, options.parse_variables(variables)), only)
    for number, command in enumerate(commands, 1):
        line = shlex.join(["deeplab-caffe", *command.arguments])
        print(f"{command.stage} ({number} of {len(commands)}): {line}", flush=True)
        if dry_run:
            continue
        code = main(command.arguments)
        if code:
            return code
    return 0
