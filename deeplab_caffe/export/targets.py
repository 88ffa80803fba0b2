"""The formats a net goes to: what each writes, and what reads it again."""

import contextlib
import io
import logging
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..engine.weights import save_weights
from ..errors import DeepLabError
from ..formats.files import replacing
from .onnx_names import rename
from .prepared import Prepared


@dataclass(frozen=True)
class Target:
    """A format. file: what it writes; write(prepared, path); kind: of fresh.py, which runs it.

    kind "": the file is Caffe's, and the net itself reads it again. with_source: net.py is written, too.
    needs: packages beyond torch, of the extra `export`.
    """

    file: str
    write: Callable[[Prepared, Path], None]
    kind: str
    with_source: bool = False
    needs: tuple[str, ...] = ()


def require(target: str) -> None:
    """DeepLabError if a package is missing that the target needs."""
    missing = [name for name in TARGETS[target].needs if find_spec(name) is None]
    if missing:
        raise DeepLabError(f"--to {target} needs {', '.join(missing)}: pip install 'deeplab_caffe[export]'")


def _state_dict(prepared: Prepared, path: Path) -> None:
    buffer = io.BytesIO()
    torch.save(prepared.program.values, buffer)
    _write(path, buffer.getbuffer())


def _safetensors(prepared: Prepared, path: Path) -> None:
    from safetensors.torch import save

    _write(path, save(prepared.program.values, {"format": "pt"}))


def _npz(prepared: Prepared, path: Path) -> None:
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {name: value.numpy() for name, value in prepared.program.values.items()}
    np.savez(buffer, **arrays)
    _write(path, buffer.getbuffer())


def _caffemodel(prepared: Prepared, path: Path) -> None:
    save_weights(path, prepared.net.layers, name=prepared.net.definition.name)


def _hdf5(prepared: Prepared, path: Path) -> None:
    save_weights(path, prepared.net.layers, "hdf5")


def _torchscript(prepared: Prepared, path: Path) -> None:
    with _exporting("torchscript"), torch.no_grad():
        traced = torch.jit.trace(prepared.module, prepared.example, check_trace=False)
    buffer = io.BytesIO()
    torch.jit.save(traced, buffer)
    _write(path, buffer.getbuffer())


def _pt2(prepared: Prepared, path: Path) -> None:
    buffer = io.BytesIO()
    with _exporting("pt2"):
        torch.export.save(prepared.exported, buffer)
    _write(path, buffer.getbuffer())


def _onnx(prepared: Prepared, path: Path) -> None:
    with _exporting("onnx"):
        program = torch.onnx.export(prepared.exported, prepared.example, dynamo=True)
    assert program is not None
    model = program.model_proto
    rename(model.graph, prepared.program.input_names, prepared.outputs)
    _write(path, model.SerializeToString())


TARGETS = {
    "torch": Target("net.pt", _state_dict, "source", True),
    "safetensors": Target("net.safetensors", _safetensors, "source", True, ("safetensors",)),
    "torchscript": Target("net.torchscript.pt", _torchscript, "torchscript"),
    "pt2": Target("net.pt2", _pt2, "pt2"),
    "onnx": Target("net.onnx", _onnx, "onnx", False, ("onnx", "onnxscript", "onnxruntime")),
    "npz": Target("net.npz", _npz, "arrays", True),
    "hdf5": Target("net.caffemodel.h5", _hdf5, ""),
    "caffemodel": Target("net.caffemodel", _caffemodel, ""),
}


def _write(path: Path, data: Any) -> None:
    with replacing(path) as file:
        file.write(data)


@contextlib.contextmanager
def _exporting(what: str) -> Iterator[None]:
    """Without the exporters' remarks, for what they made is checked; their errors in one line."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    except Exception as error:  # they have many kinds, with long texts
        while error.__cause__ is not None and isinstance(error.__cause__, Exception):
            error = error.__cause__
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise DeepLabError(f"--to {what}: PyTorch's exporter refuses the net: {lines[0]}") from None
    finally:
        logging.disable(level)
