"""Reads the net that a caller means: a prototxt, or one that ships by its name."""

from collections.abc import Iterable, Mapping
from os import PathLike

from ..assets.models import default_variables, model_path
from ..formats.net_definition import NetDefinition
from ..formats.prototxt import read_net


def read_model(
    model: str | PathLike[str],
    variables: Mapping[str, object] | None = None,
    phase: str = "test",
    level: int = 0,
    stages: Iterable[str] = (),
    dialect: str | None = None,
) -> NetDefinition:
    """`read_net` of a file or a net that ships ("deeplab_v1/largefov").

    A net that ships has values for variables that are not given: those of the released weights. Raises
    DeepLabError as read_net does, and for an unknown name with the nearest ones.
    """
    path = model_path(model)
    values = default_variables(path) | dict(variables or {})
    return read_net(path, values, phase, level, stages, dialect=dialect)
