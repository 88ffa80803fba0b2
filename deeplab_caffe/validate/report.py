"""report.html: a result as a page to read, print or put into a supplement; one file, nothing outside it."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from ..formats.files import replacing
from ..formats.net_definition import NetDefinition
from ..netgraph.cards import Card, card_of, input_card
from ..netgraph.page import Mark, environment, make_graph
from ..types import Shape
from . import pictures
from .headline import best_trials, how_much, place
from .results import Comparison, FileRecord, Validation

TEMPLATES = os.path.join(os.path.dirname(__file__), "templates")
MOST_DETAILS = 4  # blobs that get histograms and pictures
LEGEND = {
    "equal": "equal bits",
    "close": "within what was allowed",
    "different": "different",
    "first": "the first that differs",
    "missing": "not compared",
}
_RANKS = {"missing": 0, "equal": 1, "close": 2, "different": 3, "first": 4}
_LARGE_ULP = 100_000  # beyond, a relative error says more


@dataclass
class Row:
    """A comparison in the table. number: as in report.json; shown: whether the page has its details."""

    number: int
    comparison: Comparison
    place: str
    shown: bool

    @property
    def nan(self) -> int:
        """NaN in ours or theirs only."""
        numbers = self.comparison.numbers
        return numbers.nan_ours + numbers.nan_theirs if numbers else 0


@dataclass
class Detail:
    """What is shown of a blob that differs."""

    number: int
    comparison: Comparison
    place: str
    sentence: str
    histogram: Markup | None = None
    images: list[pictures.Shown] = field(default_factory=list)


def write_html(
    result: Validation, path: str | os.PathLike[str], definition: NetDefinition | None = None
) -> None:
    """Writes the report, whole or not at all.

    definition: the net, for the layers' text in the graph; layers it lacks are shown by name and shape.
    """
    shown = _details_of(result)
    rows = [Row(i, c, place(c), i in shown) for i, c in enumerate(result.comparisons)]
    cards = _cards(result, definition)
    inputs = list(_inputs(result))
    marks = _marks(result, cards, inputs, shown)
    first = None if result.first is None else _card_of(result.comparisons[result.first], inputs)
    histograms = [c.numbers.ulp_histogram if c.numbers else [] for c in result.comparisons]
    differ = any(sum(counts[1:]) for counts in histograms)
    html = (
        environment(TEMPLATES)
        .get_template("report.html.j2")
        .render(
            result=result,
            model=_model(result.environment.files),
            rows=rows,
            counts=_counts(result),
            details=[_detail(result, number) for number in shown],
            overview=Markup(pictures.overview(histograms)) if differ else None,
            allowed=_allowed(result),
            folder=_folder(result),
            best_trials=best_trials(result.diagnosis) if result.diagnosis else [],
            graph=make_graph(cards, marks, start=first),
            legend=_legend(marks),
        )
    )
    with replacing(path) as file:
        file.write(html.encode())


def _model(files: Sequence[FileRecord]) -> str:
    names = [os.path.basename(file.path) for file in files if file.role == "model"]
    return names[0] if names else "a net"


def _folder(result: Validation) -> str:
    """In which all of theirs lie, with the slash; "" if there is none."""
    return "".join(os.path.commonprefix([c.theirs for c in result.comparisons]).rpartition("/")[:2])


def _counts(result: Validation) -> dict[str, int]:
    counts = dict.fromkeys(("equal", "close", "different", "shape"), 0)
    for comparison in result.comparisons:
        counts[comparison.status] += 1
    return {status: count for status, count in counts.items() if count or status == "equal"}


def _allowed(result: Validation) -> str:
    parts = []
    if result.ulp:
        parts.append(f"values at most {result.ulp:,} ulp apart")
    if result.tolerance:
        parts.append(f"blobs whose largest difference is at most {result.tolerance:g} of their largest value")
    return "Equal means the same bits" + (f"; allowed were {' and '.join(parts)}." if parts else ".")


def _details_of(result: Validation) -> list[int]:
    """The first that differs, those whose labels change, then the largest errors; in the net's order."""
    differ = [i for i, c in enumerate(result.comparisons) if c.status not in ("equal", "close")]

    def interest(number: int) -> tuple[bool, bool, float]:
        c = result.comparisons[number]
        changed = c.labels is not None and c.labels.changed > 0
        return number == result.first, changed, c.numbers.error if c.numbers else 0.0

    return sorted(sorted(differ, key=interest, reverse=True)[:MOST_DETAILS])


def _detail(result: Validation, number: int) -> Detail:
    comparison = result.comparisons[number]
    detail = Detail(number, comparison, place(comparison), how_much(comparison))
    if comparison.numbers and sum(comparison.numbers.ulp_histogram[1:]):
        detail.histogram = Markup(pictures.histogram(comparison.numbers.ulp_histogram))
    if comparison.map is not None:
        detail.images.append(pictures.where(comparison.map))
    if comparison.picture is not None:
        detail.images += pictures.triple(comparison.picture)
    return detail


def _cards(result: Validation, definition: NetDefinition | None) -> list[Card]:
    """A card for each input, then for each layer of the result, with text if the definition has it."""
    known = {(layer.name, layer.type): layer for layer in definition.layers} if definition else {}
    cards = [input_card(name, shape) for name, shape in _inputs(result).items()]
    # For the words about windows an input of the definition's own size will do.
    shapes = dict(definition.inputs) if definition else {}
    shapes.update((card.name, card.shapes[0]) for card in cards if card.shapes)
    for layer in result.layers:
        tops = [tuple(shape) for shape in layer.shapes]
        found = known.get((layer.name, layer.type))
        if found and all(name in shapes for name in layer.bottoms):
            cards.append(card_of(found, [shapes[name] for name in layer.bottoms], tops))
        else:
            in_place = layer.bottoms[:1] == layer.tops[:1]
            cards.append(Card(layer.name, layer.type, layer.bottoms, layer.tops, tops, in_place=in_place))
        shapes.update(zip(layer.tops, tops, strict=False))
    return cards


def _inputs(result: Validation) -> dict[str, Shape | None]:
    """What no layer gives, with the shape that the comparison of that input tells, if there is one."""
    compared = {c.blob: tuple(c.shape) for c in result.comparisons if c.kind == "input"}
    given: dict[str, Shape | None] = {}
    made: set[str] = set()
    for layer in result.layers:
        given.update((name, compared.get(name)) for name in layer.bottoms if name not in made)
        made |= set(layer.tops)
    return given


def _card_of(comparison: Comparison, inputs: Sequence[str]) -> int | None:
    """The number of the card that a comparison belongs to; inputs: those whose cards come first."""
    if comparison.kind == "input":
        return inputs.index(comparison.blob) if comparison.blob in inputs else None
    belongs = comparison.kind != "parameter" and comparison.index >= 0
    return len(inputs) + comparison.index if belongs else None


def _marks(
    result: Validation, cards: Sequence[Card], inputs: Sequence[str], shown: Sequence[int]
) -> dict[int, Mark]:
    """The worst that was found of each card, over images and blobs."""
    marks = {i: Mark("missing", "", _RANKS["missing"]) for i, card in enumerate(cards) if card.tops}
    for number, comparison in enumerate(result.comparisons):
        card = _card_of(comparison, inputs)
        if card in marks:
            mark = _mark(comparison, number == result.first, f"#blob-{number}" if number in shown else "")
            marks[card] = max(marks[card], mark, key=lambda one: one.rank)
    return marks


def _mark(comparison: Comparison, first: bool, link: str) -> Mark:
    name = "first" if first else "different" if comparison.status == "shape" else comparison.status
    rows = [("compared", comparison.status), ("with", comparison.theirs)]
    if comparison.status != "equal":
        rows.append(("difference", how_much(comparison)))
    numbers = comparison.numbers
    # The status first, then the distance: a float32 has 32 bits.
    rank = (_RANKS[name] << 40) + (numbers.max_ulp if numbers else 0)
    return Mark(name, _note(comparison), rank, rows, link)


def _note(comparison: Comparison) -> str:
    numbers = comparison.numbers
    if comparison.status == "equal":
        return "equal"
    if comparison.status == "shape":
        return "another shape"
    if numbers is None:
        labels = comparison.labels
        return f"{100 * labels.changed / max(1, labels.pixels):.2g} % of labels" if labels else "another hash"
    share = f"{100 * numbers.different / max(1, numbers.count):.2g} %"
    if numbers.max_ulp > _LARGE_ULP or not numbers.different:
        return f"{share}, error {numbers.error:.1e}"
    return f"{share}, {numbers.max_ulp:,} ulp"


def _legend(marks: dict[int, Mark]) -> list[tuple[str, str]]:
    there = {mark.name for mark in marks.values()}
    return [(f"mark-{name}", text) for name, text in LEGEND.items() if name in there]
