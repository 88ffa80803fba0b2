"""Snapshots as Caffe names them: PREFIX_iter_N.caffemodel and PREFIX_iter_N.solverstate, .h5 for HDF5."""

import os
import re
from collections.abc import Sequence

from torch import Tensor

from ..errors import DeepLabError
from ..formats.records import SolverState
from ..types import Shape


def paths(prefix: str, iteration: int, hdf5: bool = False) -> tuple[str, str]:
    """Where the caffemodel and the solverstate of an iteration lie."""
    stem, end = f"{prefix}_iter_{iteration}", ".h5" if hdf5 else ""
    return f"{stem}.caffemodel{end}", f"{stem}.solverstate{end}"


def newest(prefix: str) -> str | None:
    """The solverstate of this prefix with the most iterations; None if there is none."""
    folder, name = os.path.split(prefix)
    pattern = re.compile(re.escape(name) + r"_iter_(\d+)\.solverstate(\.h5)?")
    try:
        files = os.listdir(folder or ".")
    except OSError:
        return None
    found = [(int(match[1]), file) for file in files if (match := pattern.fullmatch(file))]
    return os.path.join(folder, max(found)[1]) if found else None


def find_model(path: str | os.PathLike[str], state: SolverState) -> str:
    """The caffemodel a solverstate belongs to: beside it, under either name, or where it was written.

    Raises DeepLabError if there is none.
    """
    source = os.fspath(path)
    folder = os.path.dirname(source)
    names = [os.path.basename(source).replace(".solverstate", ".caffemodel")]
    if state.learned_net:
        names.append(os.path.basename(state.learned_net))
    for candidate in [*(os.path.join(folder, name) for name in names), state.learned_net]:
        if candidate and "\0" not in candidate and os.path.isfile(candidate):
            return candidate
    raise DeepLabError(f"{source}: its caffemodel {state.learned_net or names[0]} is missing")


def fit_history(state: SolverState, shapes: Sequence[Shape], source: str) -> list[Tensor]:
    """The history in these shapes, those of the solver's own, which files of four axes fill up with ones.

    Raises DeepLabError if the state belongs to another net or another type of solver.
    """
    if len(state.history) != len(shapes):
        raise DeepLabError(
            f"{source}: {len(state.history)} blobs of history, this net and solver have {len(shapes)}"
        )
    for number, (blob, shape) in enumerate(zip(state.history, shapes, strict=True)):
        if _axes(blob.shape) != _axes(shape):
            raise DeepLabError(f"{source}: history {number} is {tuple(blob.shape)}, the parameter is {shape}")
    return [blob.reshape(shape) for blob, shape in zip(state.history, shapes, strict=True)]


def _axes(shape: Sequence[int]) -> tuple[int, ...]:
    """The shape without the ones in front."""
    sizes = tuple(shape)
    while sizes[:1] == (1,):
        sizes = sizes[1:]
    return sizes
