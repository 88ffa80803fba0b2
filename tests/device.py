"""Where the tests of CUDA kernels run: on a GPU, or on the host by the emulator."""

import importlib.util
from contextlib import nullcontext
from dataclasses import is_dataclass, replace

import torch

from deeplab_caffe import ops


def has_module(name):
    return importlib.util.find_spec(f"deeplab_caffe.{name}") is not None


class Device:
    """Where a test's ops run: `device(op, *arguments)` moves the tensors there and the results back."""

    def __init__(self, name):
        self.name = name
        self.emulated = name == "emulated"

    def to(self, value):
        """`value` on the device, tensors in lists and tuples too."""
        if isinstance(value, torch.Tensor):
            return value if self.emulated else value.cuda()
        if isinstance(value, list | tuple):
            return type(value)(self.to(item) for item in value)
        if is_dataclass(value):
            return replace(value, **{name: self.to(v) for name, v in vars(value).items()})
        return value

    def back(self, value):
        if isinstance(value, torch.Tensor):
            return value.cpu()
        return type(value)(map(self.back, value)) if isinstance(value, list | tuple) else value

    def kernels(self):
        """A context in which ops of tensors that were moved with `to` run on the device."""
        return ops.emulated_cuda() if self.emulated else nullcontext()

    def __call__(self, op, *arguments, **named):
        with self.kernels():
            return self.back(
                op(*map(self.to, arguments), **{name: self.to(value) for name, value in named.items()})
            )
