"""The solver's settings, read from a solver.prototxt and checked."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from os import PathLike, fspath, path
from typing import Any

from google.protobuf import text_format

from ..errors import DeepLabError
from ..formats.net_definition import NetDefinition
from ..formats.prototxt import read_net, read_solver

TYPES = ("SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam")
# What each policy cannot do without.
POLICIES = {
    "fixed": (),
    "step": ("gamma", "stepsize"),
    "exp": ("gamma",),
    "inv": ("gamma", "power"),
    "multistep": ("gamma", "stepvalue"),
    "poly": ("power",),
    "sigmoid": ("gamma", "stepsize"),
}
# What numbers are wanted, what tells them, in which fields.
_NUMBERS: tuple[tuple[str, Callable[[float], bool], tuple[str, ...]], ...] = (
    (
        "a number",
        math.isfinite,
        ("base_lr", "gamma", "power", "momentum", "momentum2", "delta", "rms_decay", "weight_decay"),
    ),
    # Adam divides by 1 - momentum, and a history that never forgets grows without end.
    ("0 <= {field} < 1", lambda value: 0 <= value < 1, ("momentum", "momentum2", "rms_decay")),
    (
        "0 or more",
        lambda value: value >= 0,
        ("base_lr", "max_iter", "display", "snapshot", "test_interval", "weight_decay", "delta"),
    ),
    ("1 or more", lambda value: value >= 1, ("iter_size", "average_loss")),
)
# Fields that say how Caffe should work on its machine, not what it should compute.
_WITHOUT_EFFECT = ("solver_mode", "device_id", "debug_info", "snapshot_diff", "layer_wise_reduce")
_NETS = ("net", "net_param", "train_net", "train_net_param")


@dataclass(frozen=True)
class TestPhase:
    """One net that is run `iterations` times, every `test_interval` iterations of the training."""

    net: NetDefinition
    iterations: int


@dataclass(frozen=True)
class Settings:
    """A solver.prototxt, checked. `param` is the SolverParameter message, `source` the file it came from.

    prefix: snapshot_prefix, or what takes its place. ignored: fields that are set and have no effect here.
    """

    param: Any
    source: str
    train_net: NetDefinition
    test_phases: tuple[TestPhase, ...]
    prefix: str
    ignored: tuple[str, ...]

    @property
    def seed(self) -> int:
        """random_seed; 0 where the file leaves it open, so that a run can be repeated."""
        return max(self.param.random_seed, 0)


def read_settings(
    file: str | PathLike[str],
    variables: Mapping[str, object] | None = None,
    level: int | None = None,
    stages: Iterable[str] = (),
) -> Settings:
    """Reads a solver.prototxt and the nets it names.

    variables: values for `${NAME}`, in the solver file and in the nets. level, stages: of the net to train,
    in place of, and besides, those of train_state. A net's path counts from the working directory, as in
    Caffe; where nothing lies there, from the solver file's folder.

    Raises DeepLabError naming file and field for anything that is missing, unknown or contradictory.
    """
    source = fspath(file)
    param = read_solver(file, variables)
    if level is not None:
        param.train_state.level = level
    param.train_state.stage.extend(stages)
    _check(param, source)
    reader = _NetReader(param, source, dict(variables or {}))
    set_fields = {descriptor.name for descriptor, _ in param.ListFields()}
    ignored = tuple(name for name in _WITHOUT_EFFECT if name in set_fields)
    return Settings(param, source, reader.train(), reader.test(), _prefix(param, source), ignored)


def _check(param: Any, source: str) -> None:
    for field, problem in (*_choices(param), *_missing(param), *_numbers(param)):
        raise DeepLabError(f"{source}: {field}: {problem}")


def _choices(param: Any) -> Iterator[tuple[str, str]]:
    """The fields that take one of a few words and have another, and what is wrong."""
    if param.type not in TYPES:
        yield "type", f"unknown solver '{param.type}'; known: {', '.join(TYPES)}"
    if param.lr_policy not in POLICIES:
        given = f"unknown policy '{param.lr_policy}'" if param.lr_policy else "missing"
        yield "lr_policy", f"{given}; known: {', '.join(POLICIES)}"
    if param.regularization_type not in ("L1", "L2"):
        yield "regularization_type", f"{param.regularization_type} given, L1 or L2 wanted"


def _missing(param: Any) -> Iterator[tuple[str, str]]:
    given = {descriptor.name for descriptor, _ in param.ListFields()}
    for field in ("base_lr", "max_iter"):
        if field not in given:
            yield field, "missing"
    for field in POLICIES.get(param.lr_policy, ()):
        if field not in given:
            yield field, f"missing; lr_policy {param.lr_policy} needs it"


def _numbers(param: Any) -> Iterator[tuple[str, str]]:
    """The numbers that make no sense, alone or together."""
    if param.lr_policy == "step" and param.stepsize < 1:
        yield "stepsize", f"{param.stepsize} given, 1 or more wanted"
    if any(character < " " for character in param.snapshot_prefix):
        yield "snapshot_prefix", "a control character in the path"
    if list(param.stepvalue) != sorted(param.stepvalue):
        yield "stepvalue", "the values are not in ascending order"
    for wanted, fits, fields in _NUMBERS:
        for field in fields:
            value = getattr(param, field)
            if not fits(value):
                yield field, f"{value:g} given, {wanted.format(field=field)} wanted"
    if param.type in ("AdaGrad", "RMSProp") and param.momentum:
        yield "momentum", f"{param.momentum:g} given, but {param.type} has none"


def _prefix(param: Any, source: str) -> str:
    """As Caffe: without a prefix, or with a folder, the solver file's own name tells the rest."""
    stem = path.splitext(path.basename(source))[0]
    if not param.snapshot_prefix:
        return path.join(path.dirname(source), stem)
    if path.isdir(param.snapshot_prefix):
        return path.join(param.snapshot_prefix, stem)
    return param.snapshot_prefix


class _NetReader:
    """Finds the nets that a solver trains and tests, by Caffe's rules."""

    def __init__(self, param: Any, source: str, variables: dict[str, object]) -> None:
        self.param, self.source, self.variables = param, source, variables

    def train(self) -> NetDefinition:
        """The net to train: exactly one of the fields that may say so."""
        given = [name for name in _NETS if self.param.HasField(name)]
        if len(given) != 1:
            what = f"{' and '.join(given)} given" if given else "missing"
            raise DeepLabError(f"{self.source}: net: {what}, one of {', '.join(_NETS)} wanted")
        return self._read(given[0], getattr(self.param, given[0]), "train", self.param.train_state)

    def test(self) -> tuple[TestPhase, ...]:
        """The nets to test: test_net_param, test_net, then `net` for each test_iter that is left."""
        param = self.param
        nets = [("test_net_param", net) for net in param.test_net_param]
        nets += [("test_net", net) for net in param.test_net]
        generic = next((name for name in ("net", "net_param") if param.HasField(name)), None)
        counts = list(param.test_iter)
        left = len(counts) - len(nets)
        if left < 0 or (left and generic is None):
            raise DeepLabError(
                f"{self.source}: test_iter: given {len(counts)} times for {len(nets)} test nets"
            )
        if generic:
            nets += [(generic, getattr(param, generic))] * left
        if param.test_state and len(param.test_state) != len(nets):
            raise DeepLabError(
                f"{self.source}: test_state: given {len(param.test_state)} times for {len(nets)} test nets"
            )
        if nets and not param.test_interval:
            raise DeepLabError(f"{self.source}: test_interval: missing, but there are test nets")
        phases = []
        for number, ((field, net), count) in enumerate(zip(nets, counts, strict=True)):
            if count < 1:
                raise DeepLabError(f"{self.source}: test_iter: {count} given, 1 or more wanted")
            state = param.test_state[number] if param.test_state else None
            phases.append(TestPhase(self._read(field, net, "test", state), count))
        return tuple(phases)

    def _read(self, field: str, net: Any, phase: str, state: Any) -> NetDefinition:
        level, stages = (state.level, tuple(state.stage)) if state is not None else (0, ())
        rules: dict[str, Any] = {"phase": phase, "level": level, "stages": stages}
        if not isinstance(net, str):
            name = f"{self.source} ({field})"
            return read_net(name, {}, text=text_format.MessageToString(net, as_utf8=True), **rules)
        file = net
        if not path.exists(file):
            beside = path.join(path.dirname(self.source), net)
            if not path.exists(beside):
                raise DeepLabError(f"{self.source}: {field}: {net}: no such file")
            file = beside
        return read_net(file, self.variables, **rules)
