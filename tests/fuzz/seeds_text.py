"""Texts to begin with: prototxts, solvers, configurations, lists; in `texts`."""

from collections.abc import Iterable
from pathlib import Path

from .seeds import golden

TEXTS = Path(__file__).parent / "texts"
TESTS = Path(__file__).parents[1]
_LAYER = b"""input: "data" input_shape { dim: 1 dim: 3 dim: 8 dim: 9 }
input: "two" input_shape { dim: 1 dim: 3 dim: 8 dim: 9 }
layer { name: "x" bottom: "data" top: "x" %s }
"""


def texts(name: str) -> list[bytes]:
    """Those of a target."""
    return [file.read_bytes() for file in sorted((TEXTS / name).iterdir())]


def prototxts() -> Iterable[bytes]:
    yield from texts("prototxt")
    yield from (_LAYER % layer for layer in (TEXTS / "layers.txt").read_bytes().splitlines())
    yield from golden("nets/*/net.prototxt")
    yield (TESTS / "export" / "every_layer.prototxt").read_bytes()
    shipped = sorted((TESTS.parent / "prototxt").glob("deeplab_v[12]/*/test*.prototxt"))
    yield from (file.read_bytes() for file in shipped[:4])
