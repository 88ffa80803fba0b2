"""The nets that ship, by name: `deeplab_v1/largefov` is prototxt/deeplab_v1/largefov/deploy.prototxt."""

import difflib
import os
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from ..errors import DeepLabError
from . import asset

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@dataclass(frozen=True)
class ReleasedWeights:
    """Weights that somebody has released for a net: where, the file's name, for how many labels.

    source: an address, or, of weights that ship, the net's name.

    convert: the --backbone (and further options) with which `deeplab-caffe convert` makes a caffemodel of
    them; "" where they are one.
    """

    source: str
    file: str
    labels: int
    convert: str = ""


@dataclass(frozen=True)
class ShippedNet:
    """What prototxt/models.toml says of a net. input: height and width; set: values for its variables."""

    name: str
    title: str
    dialect: str
    input: tuple[int, int]
    labels: int
    parameters: int
    set: dict[str, str] = field(default_factory=dict)
    weights: tuple[ReleasedWeights, ...] = ()

    @property
    def path(self) -> Path:
        """Its deploy.prototxt."""
        return asset(f"prototxt/{self.name}/deploy.prototxt")


@cache
def shipped_nets() -> tuple[ShippedNet, ...]:
    """All nets that ship, in the order of prototxt/models.toml."""
    content = tomllib.loads(asset("prototxt/models.toml").read_text(encoding="utf-8"))
    return tuple(
        ShippedNet(
            **net
            | {"input": tuple(net["input"])}
            | {"weights": tuple(ReleasedWeights(**weights) for weights in net.get("weights", ()))}
        )
        for net in content["net"]
    )


def model_path(model: str | os.PathLike[str]) -> Path:
    """The prototxt that `model` means: a file, or else the name of a net that ships.

    `camvid_largefov/train` is another prototxt of that net. Raises DeepLabError, with the nearest names, for
    what is neither.
    """
    path = Path(model)
    if path.exists() and not path.is_dir():
        return path
    name = path.as_posix()
    for net in shipped_nets():
        if name == net.name:
            return net.path
        if path.parent.as_posix() == net.name:
            other = net.path.with_name(f"{path.name}.prototxt")
            if other.is_file():
                return other
    near = ", ".join(nearest(name))
    hint = f"nearest: {near}" if near else "none is near"
    raise DeepLabError(
        f"{model}: no such file, and no net of that name ships ({hint}; see deeplab-caffe models)"
    )


def default_variables(path: str | os.PathLike[str]) -> dict[str, str]:
    """Values of the variables of a net that ships, for the released weights; nothing for other files."""
    folder = Path(path).resolve().parent
    return next((dict(net.set) for net in shipped_nets() if net.path.resolve().parent == folder), {})


def weights_path(weights: str | os.PathLike[str]) -> Path:
    """The file that `weights` means: that file, or else the weights that ship under this name."""
    path = Path(weights)
    if not path.exists():
        for net in shipped_nets():
            own = [each for each in net.weights if each.source == net.name == path.as_posix()]
            if own:
                return asset(f"weights/{own[0].file}")
    return path


def nearest(name: str) -> list[str]:
    """Up to three names of shipped nets that `name`, or the end of a path, is like."""
    parts = name.removesuffix(".prototxt").removesuffix("/deploy").split("/")
    names = [net.name for net in shipped_nets()]
    by_last = {full.split("/")[-1]: full for full in reversed(names)}
    found = [by_last[last] for last in difflib.get_close_matches(parts[-1], by_last, 3, 0.5)]
    found += difflib.get_close_matches("/".join(parts[-2:]), names, 3, 0.6)
    return list(dict.fromkeys(found))[:3]
