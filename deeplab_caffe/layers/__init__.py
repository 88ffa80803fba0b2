"""Caffe's layer types, one a file; importing this package registers all of them."""

import importlib
import pkgutil

from .abilities import Rows
from .base import Layer, create, known_types, layer_class, register
from .context import Context

__all__ = ["Context", "Layer", "Rows", "create", "known_types", "layer_class", "register"]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
