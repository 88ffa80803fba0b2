"""What a validation found, as data: what report.json holds and what reports are made from.

The meaning of every field is in docs/validate.md, too; fields are added, not renamed.
"""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from .grid import Grid

FORMAT = "deeplab_caffe.validate/1"

# "blob": a layer's top; "input": a blob the caller gave; "parameter": weights; "labels": a label map.
Kind = Literal["blob", "input", "parameter", "labels"]
# "close": not equal, but within --ulp or --tolerance; "shape": not of the same shape, so not compared.
Status = Literal["equal", "close", "different", "shape"]
# "rounding": what is left is of the size that another order of sums leaves.
Effect = Literal["equal", "rounding", "nearer", "no nearer", "failed"]
Verdict = Literal["equal", "explained", "nearer", "none"]


@dataclass(frozen=True)
class FileRecord:
    """A file that took part. role: "model", "weights", "input", "against", "against model" ..."""

    role: str
    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Environment:
    """What ran where. versions: by package; isa: the instruction set of the CPU kernels."""

    command: str
    date: str
    versions: dict[str, str]
    system: str
    cpu: str
    isa: str
    threads: int
    device: str
    precision: str
    files: list[FileRecord] = field(default_factory=list)


@dataclass(frozen=True)
class Extreme:
    """One value: where (an index of each axis), ours, theirs, how many ulps apart."""

    index: list[int]
    ours: float
    theirs: float
    ulp: int


@dataclass(frozen=True)
class Numbers:
    """How two float32 arrays differ. NaNs on both sides count as equal, whatever their bits.

    different: values whose bits differ. zeros: of these, +0 against -0 (0 ulp). ulp_histogram: its first
    number counts values 0 ulp apart, number k those from 2**(k-1) to 2**k - 1 ulp. error: norm of the
    difference over the norm of theirs. largest_error: the largest difference; largest_relative: that over
    the largest magnitude of theirs. nan_ours, nan_theirs: NaN there only; these values count as different
    and in nothing else. worst: the value with the largest difference.
    """

    count: int
    different: int
    zeros: int
    nan_both: int
    nan_ours: int
    nan_theirs: int
    max_ulp: int
    ulp_histogram: list[int]
    error: float
    largest_error: float
    largest_relative: float
    worst: Extreme | None = None


@dataclass(frozen=True)
class LabelChange:
    """A pixel whose label differs. margin: how far theirs has its label's score above that of ours."""

    image: int
    row: int
    column: int
    ours: int
    theirs: int
    margin: float | None


@dataclass(frozen=True)
class LabelComparison:
    """Two label maps, or the argmax of two score maps.

    iou: of each label that occurs, ours against theirs. margins: for label maps of scores, where labels
    differ: theirs' score of its own label less that of our label; largest, median. changes: the first few,
    largest margin first.
    """

    pixels: int
    changed: int
    mean_iou: float
    iou: dict[str, float]
    largest_margin: float | None = None
    median_margin: float | None = None
    changes: list[LabelChange] = field(default_factory=list)


@dataclass(frozen=True)
class Picture:
    """What to show of a blob: label maps ("labels") or one channel ("values") of its first image.

    The channel is the one with the largest difference; values are float32.
    """

    kind: Literal["labels", "values"]
    channel: int
    theirs: Grid
    ours: Grid


@dataclass(frozen=True)
class Comparison:
    """One blob of ours with its partner.

    index: of the layer in the net (-1: an input of the net). image: which image or pass, "" if there is one
    only. theirs: where the partner lies. shape, their_shape: as they are in ours and in theirs. numbers:
    None where theirs is known by its hash only, or shapes do not fit. map: for each cell of the image, over
    all channels and the batch, the bit length of the largest ulp distance (0: equal; k: up to 2**k - 1);
    None where all values are equal or the blob is no map. bottoms: the blobs the layer reads.
    """

    index: int
    layer: str
    type: str
    blob: str
    kind: Kind
    image: str
    theirs: str
    status: Status
    shape: list[int]
    their_shape: list[int]
    bottoms: list[str] = field(default_factory=list)
    by_hash: bool = False
    numbers: Numbers | None = None
    labels: LabelComparison | None = None
    map: Grid | None = None
    picture: Picture | None = None


@dataclass(frozen=True)
class Unpaired:
    """What found no partner: of ours a layer's top, of theirs a file or array."""

    name: str
    reason: str


@dataclass(frozen=True)
class Trial:
    """One hypothesis as it was tried.

    hypothesis: its name ("channel order"); change: what was done ("input channels reversed, ..."). error: of
    the probe blob, as Numbers.error, after the change; None where it could not be compared. equal_blobs,
    blobs: how many were equal, of how many compared; 0 of 0 where only the probe was looked at.
    """

    hypothesis: str
    change: str
    effect: Effect
    error: float | None
    equal_blobs: int
    blobs: int
    note: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """Why they differ. probe: the layer and blob it was decided at; error: there, before any change.

    suspects: layers and inputs whose work no equal blob vouches for. best: number of the best trial. skipped:
    hypotheses that do not apply, each with the reason.
    """

    verdict: Verdict
    sentence: str
    probe: str
    error: float | None
    suspects: list[str]
    trials: list[Trial]
    best: int | None = None
    skipped: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Layer:
    """A layer of our net, so that a report can draw the graph. shapes: of the tops."""

    index: int
    name: str
    type: str
    bottoms: list[str]
    tops: list[str]
    shapes: list[list[int]]


@dataclass(frozen=True)
class Validation:
    """The whole result. first: number in `comparisons` of the first that is neither equal nor close."""

    equal: bool
    headline: str
    environment: Environment
    ulp: int
    tolerance: float
    comparisons: list[Comparison]
    unpaired_ours: list[Unpaired]
    unpaired_theirs: list[Unpaired]
    layers: list[Layer]
    first: int | None = None
    diagnosis: Diagnosis | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    format: str = FORMAT

    def to_json(self) -> dict[str, Any]:
        """As plain lists, dictionaries and numbers, ready for json.dumps; NaN and infinity as text."""
        return plain(asdict(self))


def plain(value: Any) -> Any:
    """As JSON takes it: lists for tuples, texts for NaN and infinity."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not abs(value) < float("inf"):
        return str(value)
    return value
