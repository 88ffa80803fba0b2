# Generated from caffe.proto when the package is built: messages are Any to type checkers.
from typing import Any

def __getattr__(name: str) -> Any: ...
