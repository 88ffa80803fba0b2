"""Reads and writes a solverstate: a binary SolverState, what Caffe's solver remembers beside the weights."""

import mmap
import os

from torch import Tensor

from ..errors import DeepLabError
from . import wire
from .blob import blob_message, message_size, read_blob, write_pieces
from .files import map_file, replacing
from .hdf5_snapshot import read_hdf5_state
from .records import SolverState
from .wire import BYTES, VARINT, WireError

# Protobuf, and so Caffe, takes no larger message.
_MAX_BYTES = 2**31 - 1
_MAX_BLOBS = 100_000
_ITER, _LEARNED_NET, _HISTORY, _CURRENT_STEP = 1, 2, 3, 4


def write_solverstate(path: str | os.PathLike[str], state: SolverState, four_axes: bool = False) -> None:
    """Writes a solverstate that Caffe reads; it is on disk, whole, before it appears at `path`.

    four_axes: blobs say num, channels, height and width, as v1's Caffe wants it, instead of a shape. Raises
    DeepLabError: more than 2 GB, or a blob of more than four axes.
    """
    source = os.fspath(path)
    pieces: list[bytes | Tensor] = [wire.number_field(_ITER, state.iteration)]
    pieces.append(wire.bytes_field(_LEARNED_NET, state.learned_net.encode()))
    for number, blob in enumerate(state.history):
        try:
            message = blob_message(blob, four_axes)
        except ValueError as error:
            raise DeepLabError(f"{source}: history {number}: {error}") from None
        pieces += [wire.bytes_header(_HISTORY, message_size(message)), *message]
    pieces.append(wire.number_field(_CURRENT_STEP, state.current_step))
    size = message_size(pieces)
    if size > _MAX_BYTES:
        raise DeepLabError(f"{source}: {size} bytes; a solverstate has at most {_MAX_BYTES} (2 GB)")
    with replacing(path, durable=True) as file:
        write_pieces(file, pieces)


def read_solverstate(path: str | os.PathLike[str]) -> SolverState:
    """Reads a solverstate, ours or Caffe's, binary or HDF5; DeepLabError for what is not a whole one."""
    source = os.fspath(path)
    data = map_file(path)
    if data[:4] == b"\x89HDF":
        return read_hdf5_state(path)
    try:
        return _read(data, len(data))
    except WireError as error:
        raise DeepLabError(f"{source}: not a whole solverstate: {error}") from None


def _read(data: mmap.mmap, size: int) -> SolverState:
    iteration, learned_net, step = -1, "", 0
    history: list[Tensor] = []
    for part in wire.fields(data, 0, size):
        if part.number == _ITER:
            iteration = wire.signed(wire.expect(part, VARINT).value)
        elif part.number == _LEARNED_NET:
            if part.end - wire.expect(part, BYTES).start > 1 << 16:
                raise WireError("the path in learned_net is too long")
            learned_net = data[part.start : part.end].decode("utf-8", "surrogateescape")
        elif part.number == _HISTORY:
            wire.expect(part, BYTES)
            if len(history) == _MAX_BLOBS:
                raise WireError(f"more than {_MAX_BLOBS} blobs")
            try:
                history.append(read_blob(data, part.start, part.end))
            except WireError as error:
                raise WireError(f"history {len(history)}: {error}") from None
        elif part.number == _CURRENT_STEP:
            step = wire.signed(wire.expect(part, VARINT).value)
    if not 0 <= iteration < 2**31 or not 0 <= step < 2**31:
        raise WireError("no iteration in it")
    return SolverState(iteration, learned_net, history, step)
