"""Reads net and solver prototxt files of every dialect into one inner form."""

import os
import re
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf import text_format

from ..errors import DeepLabError, DeepLabWarning
from . import bn_dialect, caffe_pb2
from .aligned_crop import align_crops
from .dialect import Dialect
from .dialect_signs import Finding, find_dialect
from .files import open_file, read_bytes, reading, replacing
from .net_definition import LayerDefinition, NetDefinition, ParamSpec
from .prototxt_text import LayerSpan, layer_spans, plain_numbers, substitute
from .unknown_names import told, unknown_names
from .upgrade import upgrade

# No hand-written net comes near; the limit keeps a wrong file from being parsed for minutes.
_MAX_BYTES = 16 << 20
_HEAD = 64 << 10  # bytes in which weights, given for a prototxt, are known for what they are
_MAX_BLOBS = 10_000  # that a layer reads or makes
_PHASES = {"train": caffe_pb2.TRAIN, "test": caffe_pb2.TEST}
SOLVER_TYPES = {
    "SGD": "SGD",
    "NESTEROV": "Nesterov",
    "ADAGRAD": "AdaGrad",
    "RMSPROP": "RMSProp",
    "ADADELTA": "AdaDelta",
    "ADAM": "Adam",
}


def read_net(
    path: str | os.PathLike[str],
    variables: Mapping[str, object] | None = None,
    phase: str = "test",
    level: int = 0,
    stages: Iterable[str] = (),
    text: str | None = None,
    dialect: str | None = None,
) -> NetDefinition:
    """Reads a net in V0, V1 (`layers`) or V2 (`layer`) form; keeps the layers of one phase, level and stages.

    variables: values for `${NAME}`; phase: "train" or "test"; text: the contents, if they are not in a file
    (`path` then only names them in errors). Every layer comes out in V2 layout: V1 types have their V2 names,
    `hole` is `dilation`, transformations lie in transform_param. dialect: "v1" (DeepLab v1) or "v2" (BVLC
    Caffe, DeepLab v2) says what the layers mean; None: the file's form and the fields that only one of them
    has. A DeepLabWarning tells of V1 text that does not settle it and has layers that differ.

    Raises DeepLabError naming file, line, layer and field: unreadable file, variables without a value,
    syntax, unknown fields and types, contradictory rules.
    """
    source = os.fspath(path)
    if phase not in _PHASES:
        raise DeepLabError(f"{source}: phase '{phase}': train or test wanted")
    text = substitute(read_text(path) if text is None else text, variables or {}, source)
    spans = layer_spans(text)
    net = _parse(text, caffe_pb2.NetParameter(), spans, source)

    def line_of(index: int) -> int:
        return spans[index].first_line if index < len(spans) else 0

    def fail(index: int, field: str, message: str) -> DeepLabError:
        old = (net.layers or net.layer)[index]
        name = old.name or (old.layer.name if net.layers else "")
        return DeepLabError(f"{source}:{line_of(index)}: layer '{name}': {field}: {message}")

    finding = _dialect(net, dialect, source)
    wanted_stages = {*net.state.stage, *stages}
    layers: list[LayerDefinition] = []
    elsewhere: dict[str, str] = {}
    upgraded = upgrade(net, fail)
    bn_dialect.settle(upgraded, fail)
    for index, layer in upgraded:
        for field, names in (("name", [layer.name]), ("bottom", layer.bottom), ("top", layer.top)):
            if len(names) > _MAX_BLOBS:
                raise fail(index, field, f"given {len(names)} times, at most {_MAX_BLOBS} times wanted")
            if any(character < " " for name in names for character in name):
                raise fail(index, field, "a control character in the name")
        if layer.include and layer.exclude:
            raise fail(index, "include", "a layer has include rules or exclude rules, not both")
        rules = layer.include or layer.exclude
        met = any(_meets(rule, _PHASES[phase], level, wanted_stages) for rule in rules)
        if rules and met != bool(layer.include):
            elsewhere |= dict.fromkeys(layer.top, layer.name)
            continue
        layers.append(
            LayerDefinition(
                name=layer.name,
                type=layer.type,
                bottoms=tuple(layer.bottom),
                # Caffe gives a loss without a top one of its own.
                tops=tuple(layer.top) or ((layer.name,) if layer.type.endswith("Loss") else ()),
                param=layer,
                params=tuple(ParamSpec(p.name, p.lr_mult, p.decay_mult) for p in layer.param),
                dialect=finding.dialect,
                line=line_of(index),
                source=source,
            )
        )
    align_crops(layers, in_v1_text=bool(net.layers))
    return NetDefinition(
        net.name,
        finding.dialect,
        _inputs(net, source),
        tuple(layers),
        source,
        net,
        dialect_reason=finding.reason,
        elsewhere=elsewhere,
    )


def _dialect(net: Any, wanted: str | None, source: str) -> Finding:
    """The dialect, which the caller may have set, with a warning where the file does not settle it."""
    if wanted is not None:
        if wanted not in {dialect.value for dialect in Dialect}:
            raise DeepLabError(f"dialect {wanted}: v1 (DeepLab v1) or v2 (BVLC Caffe, DeepLab v2) wanted")
        return Finding(Dialect(wanted), "as the caller says")
    finding = find_dialect(net)
    if finding.doubtful:
        some = ", ".join(finding.doubtful[:3]) + (", ..." if len(finding.doubtful) > 3 else "")
        warnings.warn(
            f"{source}: {finding.reason}: read as DeepLab v1's; BVLC Caffe has other values in layer {some};"
            " dialect (--dialect) v1 or v2 settles it",
            DeepLabWarning,
            stacklevel=3,
        )
    return finding


def read_solver(path: str | os.PathLike[str], variables: Mapping[str, object] | None = None) -> Any:
    """Reads a solver prototxt into a SolverParameter message; old `solver_type` values come out in `type`.

    Raises DeepLabError like read_net.
    """
    source = os.fspath(path)
    text = substitute(read_text(path), variables or {}, source)
    solver = _parse(text, caffe_pb2.SolverParameter(), [], source)
    if solver.HasField("solver_type"):
        if solver.HasField("type"):
            raise DeepLabError(f"{source}: type: given beside the older solver_type")
        solver.type = SOLVER_TYPES[solver.SolverType.Name(solver.solver_type)]
        solver.ClearField("solver_type")
    return solver


def write_prototxt(message: Any, path: str | os.PathLike[str]) -> None:
    """Writes a NetParameter or SolverParameter as text, under a temporary name first."""
    with replacing(path) as file:
        file.write(text_format.MessageToString(message, as_utf8=True).encode())


def parse_message(text: str, message: Any, variables: Mapping[str, object], source: str) -> Any:
    """The text as a NetParameter or SolverParameter, which is filled; errors as of read_net."""
    text = substitute(text, variables, source)
    return _parse(text, message, layer_spans(text), source)


def read_text(path: str | os.PathLike[str]) -> str:
    """A prototxt's text, its lines ended by line feeds. Raises DeepLabError: no file, or no text."""
    source = os.fspath(path)
    with open_file(path) as file, reading(path):
        _refuse_binary(file.read(_HEAD), source)  # of any size
    data = read_bytes(path, _MAX_BYTES)
    _refuse_binary(data, source)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")  # Comments in other encodings do no harm.
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _refuse_binary(data: bytes, source: str) -> None:
    if b"\0" not in data:
        return
    hint = "; the verb convert makes a prototxt of it" if data[4:8] == b"TFL3" else ""
    hint = "; weights are given apart, by --weights" if source.endswith((".caffemodel", ".h5")) else hint
    raise DeepLabError(f"{source}: a binary file, not a prototxt{hint}")


def _parse(text: str, message: Any, spans: list[LayerSpan], source: str) -> Any:
    """text_format.Parse with errors of one line that say file, line, layer and what is wrong."""
    try:
        return text_format.Parse(plain_numbers(text), message)
    except text_format.ParseError as error:
        line, reason = error.GetLine() or 0, str(error)
    except (RecursionError, UnicodeError, ValueError) as error:
        line, reason = 0, str(error)
    lines = text.split("\n")
    reason = re.sub(r"^\d+:\d+ : ", "", reason)
    reason = reason.removeprefix(f"'{lines[line - 1]}': " if 0 < line <= len(lines) else "")
    reason = " ".join(_plain_reason(reason).split())
    if reason.startswith("unknown "):
        unknown = unknown_names(text, message, source)
        line, reason = (unknown[0].line, told(unknown)) if unknown else (line, reason)
    layer = next((f"layer '{s.name}': " for s in spans if s.first_line <= line <= s.last_line), "")
    raise DeepLabError(f"{source}:{line}: {layer}{reason}") from None


def _plain_reason(reason: str) -> str:
    """Protobuf's text without the names of our messages."""
    if match := re.search(r'type "deeplab_caffe\.([\w.]+)" has no field named "(.*)"', reason):
        return f"unknown field '{match[2]}' in {match[1]}"
    if match := re.search(
        r'Enum type "deeplab_caffe\.([\w.]+)" has no value \w+(?: number)? (\S+?)\.?$', reason
    ):
        what = "layer type" if match[1] == "V1LayerParameter.LayerType" else match[1].rpartition(".")[2]
        return f"unknown {what} {match[2]}"
    if match := re.search(r'should not have multiple "(.*)" fields', reason):
        return f"field '{match[1]}' is given twice"
    return reason.replace("deeplab_caffe.", "")


def _meets(rule: Any, phase: int, level: int, stages: set[str]) -> bool:
    """Caffe's StateMeetsRule."""
    return (
        (not rule.HasField("phase") or rule.phase == phase)
        and (not rule.HasField("min_level") or level >= rule.min_level)
        and (not rule.HasField("max_level") or level <= rule.max_level)
        and stages.issuperset(rule.stage)
        and stages.isdisjoint(rule.not_stage)
    )


def _inputs(net: Any, source: str) -> dict[str, tuple[int, ...]]:
    """The net-level inputs, from `input_shape` or, without one, the older four `input_dim` each.

    () for one without a shape, which somebody has to give before the net runs.
    """
    if net.input_shape:
        shapes = [tuple(shape.dim) for shape in net.input_shape]
        if len(shapes) != len(net.input):
            raise DeepLabError(f"{source}: input_shape: {len(shapes)} shapes for {len(net.input)} inputs")
    elif net.input_dim:
        dims = list(net.input_dim)
        shapes = [tuple(dims[i : i + 4]) for i in range(0, len(dims), 4)]
        if len(dims) != 4 * len(net.input):
            raise DeepLabError(
                f"{source}: input_dim: {len(dims)} numbers for {len(net.input)} inputs, 4 each wanted"
            )
    else:
        shapes = [()] * len(net.input)
    for name, shape in zip(net.input, shapes, strict=True):
        if any(dim < 1 for dim in shape):
            raise DeepLabError(f"{source}: input '{name}': shape {shape} has a dimension below 1")
    if len(set(net.input)) != len(net.input):
        raise DeepLabError(f"{source}: input: a name is given twice")
    return dict(zip(net.input, shapes, strict=True))
