"""Names in a prototxt that no dialect here has: all of a file at once, each with what is known of it."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from ..errors import DeepLabError, one_line
from . import caffe_pb2
from .near_names import near_name
from .prototxt_tree import Message, parse

# Fields of forks whose layers this package lacks.
_FOREIGN = {
    "annotated_data_param": "SSD's data layer; Input or ImageData take its place",
    "detection_evaluate_param": "of SSD",
    "detection_output_param": "of SSD",
    "distort_param": "of SSD's data layer",
    "emit_constraint": "of SSD's data layer",
    "expand_param": "of SSD's data layer",
    "multibox_loss_param": "of SSD",
    "psroi_pooling_param": "of R-FCN",
    "resize_param": "of SSD's data layer",
    "shuffle_channel_param": "of ShuffleNet's fork",
    "video_data_param": "of forks that read video",
}
_MOST = 12  # names told of in one line
_MOST_OF_NAME = 60  # characters of each


class UnknownName(NamedTuple):
    """`what`: "field" or what kind of value; `hint` may be ""."""

    line: int
    what: str
    name: str
    place: str
    hint: str


def unknown_names(text: str, message: Any, source: str) -> list[UnknownName]:
    """Those of a text that is a `message`, in order, each name once; [] where the text is no prototxt."""
    try:
        tree = parse(text, source)
    except DeepLabError:
        return []
    found: dict[tuple[str, str], UnknownName] = {}
    for unknown in _walk(tree, message.DESCRIPTOR, _Lines()):
        found.setdefault((unknown.name, unknown.place), unknown)
    return list(found.values())


def told(unknown: list[UnknownName]) -> str:
    """All of them as one line, without the line of the first."""
    texts = []
    for number, one in enumerate(unknown[:_MOST]):
        of = f" in {one.place}" if one.what == "field" else ""
        line = f" (line {one.line})" if number else ""
        quote = "'" if one.what == "field" else ""
        texts.append(
            f"unknown {one.what} {quote}{one_line(one.name, _MOST_OF_NAME)}{quote}{of}{line}{one.hint}"
        )
    more = f", and {len(unknown) - _MOST} more names" if len(unknown) > _MOST else ""
    return ", ".join(texts) + more


class _Lines:
    """Counts the lines of a text that goes by in pieces."""

    def __init__(self) -> None:
        self.line = 1

    def __call__(self, piece: str) -> int:
        self.line += piece.count("\n")
        return self.line


def _walk(tree: Message, descriptor: Any, lines: _Lines) -> Iterator[UnknownName]:
    lines(tree.opening)
    for field in tree.fields:
        line = lines(field.lead)
        lines(field.colon)
        known = descriptor.fields_by_name.get(field.name) if descriptor is not None else None
        if known is None and descriptor is not None:
            yield UnknownName(line, "field", field.name, descriptor.name, _hint(field.name, descriptor))
        if isinstance(field.value, Message):
            yield from _walk(field.value, known.message_type if known is not None else None, lines)
            continue
        values = known.enum_type if known is not None else None
        if values is None:
            lines(field.value)
            continue
        for item in field.items:
            word = item.strip()
            number = int(word) if word.lstrip("-").isdecimal() else None
            if word not in values.values_by_name and number not in values.values_by_number:
                layer = values.name == "LayerType"
                near = near_name(word, values.values_by_name)
                hint = f"; did you mean {near}?" if near else ""
                if not near and not layer:
                    hint = f"; known: {', '.join(sorted(values.values_by_name))}"
                yield UnknownName(line, "layer type" if layer else values.name, word, values.name, hint)
        lines(field.value)
    lines(tree.tail)


def _hint(name: str, descriptor: Any) -> str:
    if name in _FOREIGN:
        return f" ({_FOREIGN[name]})"
    if descriptor.name == "NetParameter" and name in caffe_pb2.SolverParameter.DESCRIPTOR.fields_by_name:
        return "; it is a solver's: a net is wanted here"
    near = near_name(name, descriptor.fields_by_name)
    return f"; did you mean '{near}'?" if near else ""
