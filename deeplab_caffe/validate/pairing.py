"""Which array of theirs belongs to which blob of ours, told from names alone, before anything runs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..engine.net import Net
from ..errors import DeepLabError
from ..formats.net_definition import NetDefinition
from ..types import Shape, plane
from .labels import holds_scores
from .passes import Pass
from .results import Unpaired
from .theirs import Catalog, Theirs, mangled

INPUT = -1  # the index of what the caller gives

# Layers that write files; a validation leaves them out, lest they write over what it compares with.
WRITERS = ("MatWrite", "HDF5Output")


@dataclass(frozen=True)
class Ours:
    """A top of a layer of the net, or an input (index -1). last: no later layer writes to that blob.

    files: what programs call a file of it that belongs to an image, as patterns for the image's name;
    folders: where layers that write files put it, by the last part of the path.
    """

    index: int
    layer: str
    type: str
    blob: str
    shape: Shape
    bottoms: tuple[str, ...] = ()
    last: bool = True
    files: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """For people."""
        return self.blob if self.blob == self.layer or not self.layer else f"{self.layer}: {self.blob}"


@dataclass
class Plan:
    """For each pass, the partners of each blob of ours; and what has none."""

    pairs: dict[tuple[int, int, str], list[Theirs]] = field(default_factory=dict)
    parameters: list[tuple[Ours, int, Theirs]] = field(default_factory=list)
    unpaired_ours: list[Unpaired] = field(default_factory=list)
    unpaired_theirs: list[Unpaired] = field(default_factory=list)

    def of(self, number: int, index: int, blob: str) -> list[Theirs]:
        """The partners in pass `number` of the blob that layer `index` left."""
        return self.pairs.get((number, index, blob), [])


def blobs_of(net: Net, writes: Sequence[tuple[str, str, str]] = ()) -> list[Ours]:
    """All blobs of a net in its order. writes: what layers write to files: (blob, pattern, folder)."""
    last = dict.fromkeys(net.inputs, INPUT)
    for index, layer in enumerate(net.layers):
        last.update(dict.fromkeys(layer.definition.tops, index))
    shapes = {name: tuple(blob.shape) for name, blob in net.blobs.items()}
    found = [Ours(INPUT, "", "Input", name, shapes[name], last=at == INPUT) for name, at in last.items()]
    found = [ours for ours in found if ours.blob in net.definition.inputs]
    for index, layer in enumerate(net.layers):
        for blob in layer.definition.tops:
            files, folders = [], []
            if last[blob] == index:
                files = [pattern for name, pattern, _ in writes if name == blob]
                folders = [folder for name, _, folder in writes if name == blob]
                if blob in net.outputs:
                    files += [f"{{}}_blob_{list(net.outputs).index(blob)}"] if not writes else []
                    files.append("{}")
            found.append(
                Ours(
                    index,
                    layer.name,
                    layer.type,
                    blob,
                    shapes[blob],
                    layer.definition.bottoms,
                    last[blob] == index,
                    tuple(dict.fromkeys(files)),
                    tuple(dict.fromkeys(folders)),
                )
            )
    return found


def written(definition: NetDefinition) -> list[tuple[str, str, str]]:
    """What the MatWrite layers of a net write: (blob, pattern of the name, name of the folder)."""
    found = []
    for layer in definition.layers:
        if layer.type == "MatWrite":
            prefix = layer.param.mat_write_param.prefix
            folder, start = (prefix.rstrip("/"), "") if prefix.endswith("/") else ("", Path(prefix).name)
            for number, blob in enumerate(layer.bottoms):
                found.append((blob, f"{start}{{}}_blob_{number}", Path(folder).name))
    return found


def without_writers(definition: NetDefinition) -> NetDefinition:
    """The net without the layers that write files."""
    layers = tuple(layer for layer in definition.layers if layer.type not in WRITERS)
    return replace(definition, layers=layers)


def pair(ours: list[Ours], net: Net, passes: list[Pass], catalog: Catalog) -> Plan:
    """Finds the partners.

    DeepLabError: there is not a single pair (it says what names there are), or but one, with a label map of
    another size.
    """
    plan = Plan()
    for single in passes:
        for one in ours:
            partners = [*_dumps(one, single, len(passes) == 1, catalog), *_files(one, single, catalog)]
            partners = list({item.where: item for item in partners}.values())
            if partners:
                plan.pairs[single.number, one.index, one.blob] = partners
    for index, layer in enumerate(net.layers):
        for number, parameter in enumerate(layer.blobs):
            name = f"{layer.name}/{number}"
            item = catalog.take([""], [name], ["parameter"])
            if item is not None:
                one = Ours(index, layer.name, layer.type, name, parameter.shape)
                plan.parameters.append((one, number, item))
    if not plan.pairs and not plan.parameters:
        _pair_lone(ours, passes, catalog, plan)
    paired = {(index, blob) for _, index, blob in plan.pairs}
    ours_of = {(one.index, one.blob): one for one in ours}
    plan.unpaired_ours = [
        Unpaired(one.name, "nothing of theirs has its name")
        for one in ours
        if (one.index, one.blob) not in paired and one.index != INPUT
    ]
    given = {
        name: partners[0].where
        for (_, index, blob), partners in plan.pairs.items()
        for name in (blob, mangled(ours_of[index, blob].layer, blob))
    }
    plan.unpaired_theirs = [Unpaired(item.where, _reason(item, given)) for item in catalog.rest()]
    if not plan.pairs and not plan.parameters:
        theirs = ", ".join(sorted({item.names[0] for item in catalog.items})[:5])
        blobs = ", ".join(list(dict.fromkeys(one.blob for one in ours))[:5])
        raise DeepLabError(
            f"nothing to compare: names of theirs: {theirs}, ...; blobs of the net: {blobs}, ..."
        )
    _check_lone_labels(plan, ours_of, net, passes)
    return plan


def _dumps(one: Ours, single: Pass, alone: bool, catalog: Catalog) -> Iterator[Theirs]:
    """The dump of a blob, in a folder of the pass; of a single pass no folder needs to tell the name."""
    own = [single.name, f"{single.number:06d}"]
    if catalog.of_every_pass:
        own = [""]
    elif alone:
        own += ["", *(catalog.folders if len(catalog.folders) == 1 else ())]
    names = [mangled(one.layer, one.blob)] if one.layer else []
    names += [mangled(one.blob)] if one.last else []
    item = catalog.take(dict.fromkeys(own), names, ["blob", "scores"])
    if item is not None:
        yield item


def _files(one: Ours, single: Pass, catalog: Catalog) -> Iterator[Theirs]:
    """Scores and label maps in files named after the image, whatever folders they are in.

    Where layers that write files say which folder, and it is there, in that one.
    """
    if not single.name:
        return
    files = [mangled(pattern.format(single.name)) for pattern in one.files]
    for folder in [name for name in one.folders if name in catalog.folders] or ["", *catalog.folders]:
        item = catalog.take([folder], files, ["scores", "blob"])
        if item is not None:
            yield replace(item, kind="scores")
        item = catalog.take([folder], files, ["labels"])
        if item is not None:
            yield item


def _pair_lone(ours: list[Ours], passes: list[Pass], catalog: Catalog, plan: Plan) -> None:
    """A single array of any name belongs to the last blob of its shape, or else to the net's scores.

    If there is but one pass.
    """
    items = [item for item in catalog.items if item.kind != "parameter"]
    if len(items) != 1 or len(passes) != 1:
        return
    outputs = [one for one in ours if "{}" in one.files]
    alike = [one for one in ours if one.last and _alike(one, items[0])]
    scores = [one for one in outputs if holds_scores(one.shape)]
    one = next(iter([*alike[::-1], *scores, *outputs[::-1]]), None)
    if one is not None:
        catalog.taken.add(items[0])
        plan.pairs[passes[0].number, one.index, one.blob] = items


def _check_lone_labels(
    plan: Plan, ours_of: dict[tuple[int, str], Ours], net: Net, passes: list[Pass]
) -> None:
    """A label map of another size says nothing; where there is no more, nothing need run to know that.

    A net that feeds itself tells the sizes of later passes only when it runs.
    """
    if len(plan.pairs) != 1 or plan.parameters:
        return
    [((number, index, blob), partners)] = plan.pairs.items()
    theirs, one = partners[0], ours_of[index, blob]
    size = next(single.size for single in passes if single.number == number)
    if len(partners) > 1 or theirs.kind != "labels" or theirs.read is None or len(one.shape) != 4:
        return
    wanted = tuple(theirs.read().shape)
    if size is not None and wanted != size:
        raise DeepLabError(f"{theirs.where}: {_pixels(wanted)} labels, the photo has {_pixels(size)} pixels")
    mine = plane(one.shape)
    if size is None and net.inputs and (wanted[0] > mine[0] or wanted[1] > mine[1]):
        raise DeepLabError(
            f"{theirs.where}: {_pixels(wanted)} labels, blob '{one.blob}' of the net has {_pixels(mine)}"
        )


def _pixels(size: Shape) -> str:
    return "x".join(map(str, size))


def _alike(one: Ours, item: Theirs) -> bool:
    """Whether both have the same shape, but for axes of size 1."""
    shapes = one.shape, item.shape if item.shape is not None or item.read is None else item.read().shape
    sizes = [tuple(size for size in shape or () if size != 1) for shape in shapes]
    return item.kind != "labels" and sizes[0] == sizes[1]


def _reason(item: Theirs, given: dict[str, str]) -> str:
    """given: by what names a blob may have, where the partner of it that was taken is."""
    if item.kind == "parameter":
        return f"the net has no parameter {item.names[0]}"
    for name in item.names:
        if name in given:
            return f"'{name}' was taken from {given[name]}"
    of = f" of image or pass '{item.folder}'" if item.folder else ""
    return f"the net has no blob '{item.names[0]}'{of}"
