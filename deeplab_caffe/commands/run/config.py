"""The TOML file of `run`: its sections, read and checked."""

import os
import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

from ...crf.parameters import CRFParameters, Std
from ...errors import DeepLabError, known_names, one_line
from ...formats.toml import read_toml
from ...threads import most_threads

_VARIABLE = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True)
class Section:
    """A table of the file: the fields of a subclass are what it may hold."""


@dataclass(frozen=True)
class Train(Section):
    """[train], [train2]: solver.prototxt, the list (variable TRAIN_SET), the caffemodel to start from.

    weights: default for train2 what train ended with. unfold: the training net, if batch normalisation is to
    be put behind the convolutions of those weights first.
    """

    solver: str
    set: str
    weights: str = ""
    unfold: str = ""
    precision: str = "exact"


@dataclass(frozen=True)
class Test(Section):
    """[test], [test2]: the net, the lists (variable TEST_SET), one after the other.

    weights: default what train (train2) ended with. fold: the training net, if its batch normalisation is to
    be folded into the convolutions first. features: the folder under FEATURE_DIR/TEST_SET that the net's
    MatWrite layer fills.
    """

    model: str
    sets: list[str]
    weights: str = ""
    fold: str = ""
    features: str = "fc8"
    precision: str = "exact"


@dataclass(frozen=True)
class Crf(CRFParameters, Section):
    """[crf]: parameters of the dense CRF."""


@dataclass(frozen=True)
class Evaluation(Section):
    """[evaluation]: the classes' names (see eval), the widths of the trimap bands."""

    palette: str = "voc"
    trimap: list[int] = field(default_factory=lambda: [1, 2, 3, 5, 8, 12, 20, 40])


SECTIONS: dict[str, type[Section]] = {
    "train": Train,
    "test": Test,
    "train2": Train,
    "test2": Test,
    "crf": Crf,
    "evaluation": Evaluation,
}


@dataclass(frozen=True)
class Config:
    """A file, read and checked: name (variable NET_ID), folder for results, variables, the stages it has."""

    source: str
    name: str
    output: str
    variables: dict[str, str]
    threads: int
    device: str
    stages: dict[str, Any]

    def variable(self, name: str) -> str:
        """One of [variables] that the stages need."""
        if name not in self.variables:
            raise DeepLabError(f"{self.source}: variables.{name}: missing")
        return self.variables[name]


def read_config(path: str | os.PathLike[str], variables: Mapping[str, str] | None = None) -> Config:
    """Reads the TOML file; `variables` override its own. DeepLabError names file and field."""
    source = os.fspath(path)
    content = read_toml(path)
    top = {"name": str, "output": str, "variables": dict, "threads": int, "device": str}
    for key in content:
        if key not in top and key not in SECTIONS:
            raise DeepLabError(f"{source}: {one_line(key)}: unknown; {known_names((*top, *SECTIONS), key)}")
    for key, kind in top.items():
        if key in content and not isinstance(content[key], kind):
            raise DeepLabError(f"{source}: {key}: {_kind(kind)} wanted")
    if not 0 <= content.get("threads", 0) <= most_threads():
        raise DeepLabError(f"{source}: threads: 0 to {most_threads()} wanted")
    for key in ("name", "output"):
        if not content.get(key):
            raise DeepLabError(f"{source}: {key}: missing")
    own = {name: str(value) for name, value in content.get("variables", {}).items()}
    values = own | dict(variables or {})
    known = {"NET_ID": content["name"]} | values
    stages: dict[str, Any] = {
        key: _section(source, key, cls, content[key], known)
        for key, cls in SECTIONS.items()
        if key in content
    }
    return Config(
        source,
        content["name"],
        _expanded(content["output"], known, f"{source}: output"),
        values,
        content.get("threads", 0),
        content.get("device", "cpu"),
        stages,
    )


def _expanded(text: str, variables: Mapping[str, str], where: str) -> str:
    """The text with each ${NAME} replaced."""
    for name in _VARIABLE.findall(text):
        if name not in variables:
            raise DeepLabError(f"{where}: ${{{one_line(name)}}} has no value; known: {', '.join(variables)}")
    return _VARIABLE.sub(lambda match: variables[match[1]], text)


def _section(
    source: str, name: str, cls: type[Section], content: Any, variables: Mapping[str, str]
) -> Section:
    if not isinstance(content, dict):
        raise DeepLabError(f"{source}: {name}: a table [{name}] wanted")
    known = {item.name: item for item in fields(cls)}
    for key, value in content.items():
        if key not in known:
            raise DeepLabError(f"{source}: {name}.{one_line(key)}: unknown; {known_names(known, key)}")
        if not _fits(value, known[key].type):
            raise DeepLabError(f"{source}: {name}.{key}: {_kind(known[key].type)} wanted")
    for key, item in known.items():
        if item.default is MISSING and item.default_factory is MISSING and key not in content:
            raise DeepLabError(f"{source}: {name}.{key}: missing")
    filled = dict(content)
    for key, value in content.items():
        where = f"{source}: {name}.{key}"
        if isinstance(value, str):
            filled[key] = _expanded(value, variables, where)
        elif known[key].type == list[str]:
            filled[key] = [_expanded(text, variables, where) for text in value]
    try:
        return cls(**filled)
    except DeepLabError as error:
        raise DeepLabError(f"{source}: {name}.{error}") from None


def _fits(value: Any, kind: Any) -> bool:
    if kind in (list[str], list[int]):
        return isinstance(value, list) and bool(value) and all(_fits(v, kind.__args__[0]) for v in value)
    return type(value) is kind or (kind in (float, Std) and type(value) in (int, float))


def _kind(kind: Any) -> str:
    names = {str: "text", int: "a whole number", float: "a number", Std: "a number", dict: "a table"}
    return names.get(kind) or f"a list of {'texts' if kind == list[str] else 'whole numbers'}"
