"""Runs an exported net in a process of its own, in which this package cannot be imported.

A script: standard input is JSON, {kind, folder, file, weights, inputs, outputs}; inputs and outputs are files
of torch.save with a list of cases, each a list of tensors.
"""

import sys

sys.path.pop(0)  # the folder of this file, whose neighbours it must not see
sys.dont_write_bytecode = True  # in the user's folder
sys.modules["deeplab_caffe"] = None  # type: ignore[assignment]  # from now on importing it fails

import importlib.util  # noqa: E402
import json  # noqa: E402
from collections.abc import Callable  # noqa: E402
from typing import Any  # noqa: E402

import torch  # noqa: E402

Run = Callable[..., Any]


def source(file: str, weights: str) -> Run:
    """The module of a net's source, with its weights from a file that it or NumPy reads."""
    spec = importlib.util.spec_from_file_location("net", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.load(weights)


def arrays(file: str, weights: str) -> Run:
    """The same with an .npz."""
    import os
    import tempfile

    import numpy as np

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "net.pt")
        torch.save({name: torch.from_numpy(array) for name, array in np.load(weights).items()}, path)
        return source(file, path)


def torchscript(file: str, weights: str) -> Run:
    """A traced module."""
    return torch.jit.load(file)


def exported(file: str, weights: str) -> Run:
    """A program of torch.export."""
    return torch.export.load(file).module()


def onnx(file: str, weights: str) -> Run:
    """A session of onnxruntime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]

    def run(*inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        feed = {name: value.numpy() for name, value in zip(names, inputs, strict=True)}
        return tuple(map(torch.from_numpy, session.run(None, feed)))

    return run


KINDS = {"source": source, "arrays": arrays, "torchscript": torchscript, "pt2": exported, "onnx": onnx}


def main() -> None:
    """Reads the request, runs the cases."""
    request = json.load(sys.stdin)
    run = KINDS[request["kind"]](request["file"], request["weights"])
    results = []
    with torch.no_grad():
        for inputs in torch.load(request["inputs"], weights_only=True):
            result = run(*inputs)
            results.append([result] if isinstance(result, torch.Tensor) else list(result))
    torch.save(results, request["outputs"])


if __name__ == "__main__":
    main()
