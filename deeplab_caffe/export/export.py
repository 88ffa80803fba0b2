"""Exports a net: writes the targets into a folder, runs each, and compares it with the exact net."""

from collections.abc import Callable, Sequence
from pathlib import Path

from torch import Tensor

from ..engine.net import Net
from ..errors import DeepLabError
from ..formats.files import replacing
from .check import Case, Result, compare, make_cases, run_fresh
from .prepared import Prepared, prepare
from .targets import TARGETS, require

SOURCE = "net.py"


def export(
    net: Net,
    targets: Sequence[str],
    folder: Path,
    outputs: Sequence[str] = (),
    fold: bool = False,
    begin: Callable[[str], None] = lambda what: None,
) -> tuple[Prepared, list[Result]]:
    """Writes the net in each format (of TARGETS) and checks what was written.

    begin: told what is about to be done. The results may say that a check has failed, or that a format does
    not take the net, of which nothing is left then. Raises DeepLabError for a layer that cannot go, or a
    package that is missing, before anything is written.
    """
    for target in targets:
        require(target)
    weights = [TARGETS[name].file for name in targets if TARGETS[name].kind == "source"] or ["net.pt"]
    begin("translating")
    prepared = prepare(net, outputs, fold, weights)
    begin("exact")
    cases = make_cases(net, prepared.program.input_names, prepared.outputs)
    prepared.example, prepared.dynamic = _example(cases)
    folder.mkdir(parents=True, exist_ok=True)
    if any(TARGETS[name].with_source for name in targets):
        with replacing(folder / SOURCE) as file:
            file.write(prepared.source.encode())
    results: list[Result] = []
    for name in targets:
        begin(name)
        path = folder / TARGETS[name].file
        try:
            TARGETS[name].write(prepared, path)
            begin(f"{name}, checking")
            given = _run(prepared, name, folder, cases)
        except DeepLabError as error:
            path.unlink(missing_ok=True)
            results.append(Result(name, "", "", None, 0, 0, False, str(error)))
            continue
        for case, outputs_given in zip(cases, given, strict=True):
            results += compare(name, case, outputs_given)
    return prepared, results


def _example(cases: Sequence[Case]) -> tuple[tuple[Tensor, ...], list[set[int]]]:
    """The inputs of the last case, of more than one image where the net takes such; the axes that differ."""
    example = tuple(cases[-1].inputs.values())
    dynamic = [
        {axis for axis, (a, b) in enumerate(zip(one.shape, other.shape, strict=True)) if a != b}
        for one, other in zip(cases[0].inputs.values(), example, strict=True)
    ]
    return example, dynamic


def _run(prepared: Prepared, name: str, folder: Path, cases: Sequence[Case]) -> list[list[Tensor]]:
    """What the target gives for each case."""
    target = TARGETS[name]
    path = folder / target.file
    if target.kind in ("source", "arrays"):
        return run_fresh(target.kind, folder / SOURCE, path, cases)
    if target.kind:
        return run_fresh(target.kind, path, path, cases)
    again = Net(prepared.net.definition, path)
    return [list(again.forward(prepared.outputs, None, **case.inputs).values()) for case in cases]
