"""CamVid (Brostow et al., ECCV 2008): 32 labels to the 11 classes, and the lists, that are used since SegNet.

The 701 frames are told apart by their names: two stretches of film are `val` and `test`, the rest `train`.
"""

import re
from functools import partial
from pathlib import Path

from ..errors import DeepLabError
from ..images.class_names import CAMVID, Colour
from ..types import Bytes
from .convert import Colours, Table, read_colours_or_numbers, voids
from .folders import Collector, files_by_stem, place
from .plan import VOID, Item, Net, Plan, Source

EXPECTED = {"train": 367, "val": 101, "test": 233}
LABELS = "labels11"

# The 32 labels as label_colors.txt has them, by the class that they are put into.
GROUPS: dict[str, dict[str, Colour]] = {
    "sky": {"Sky": (128, 128, 128)},
    "building": {
        "Building": (128, 0, 0),
        "Wall": (64, 192, 0),
        "Bridge": (0, 128, 64),
        "Tunnel": (64, 0, 64),
        "Archway": (192, 0, 128),
    },
    "pole": {"Column_Pole": (192, 192, 128), "TrafficCone": (0, 0, 64)},
    "road": {"Road": (128, 64, 128), "LaneMkgsDriv": (128, 0, 192), "LaneMkgsNonDriv": (192, 0, 64)},
    "pavement": {"Sidewalk": (0, 0, 192), "ParkingBlock": (64, 192, 128), "RoadShoulder": (128, 128, 192)},
    "tree": {"Tree": (128, 128, 0), "VegetationMisc": (192, 192, 0)},
    "sign": {"SignSymbol": (192, 128, 128), "Misc_Text": (128, 128, 64), "TrafficLight": (0, 64, 64)},
    "fence": {"Fence": (64, 64, 128)},
    "car": {
        "Car": (64, 0, 128),
        "SUVPickupTruck": (64, 128, 192),
        "Truck_Bus": (192, 128, 192),
        "Train": (192, 64, 128),
        "OtherMoving": (128, 64, 64),
    },
    "pedestrian": {
        "Pedestrian": (64, 64, 0),
        "Child": (192, 128, 64),
        "CartLuggagePram": (64, 0, 192),
        "Animal": (64, 128, 64),
    },
    "bicyclist": {"Bicyclist": (0, 128, 192), "MotorcycleScooter": (192, 0, 192)},
}
_VOID_COLOUR = (0, 0, 0)
_COLOURS = Colours(
    {colour: label for label, name in enumerate(CAMVID) for colour in GROUPS[name].values()}
    | {CAMVID["pavement"]: list(CAMVID).index("pavement"), _VOID_COLOUR: VOID},
    "one of CamVid's colours for its 32 labels",
)
# SegNet's label maps: 11 is what is unlabelled.
_NUMBERS = Table(256, voids(len(CAMVID)) | {len(CAMVID): VOID}, f"0 to {len(CAMVID)} or {VOID}")

# Folders of images and of labels: the official archives', a plain one; SegNet's have one for each list.
_LAYOUTS = (("701_StillsRaw_full", "LabeledApproved_full"), ("images", "labels"))
_SEGNET = {name: (name, f"{name}annot") for name in EXPECTED}
_FRAME = re.compile(r"(0001TP|0006R0|0016E5|Seq05VD)_f?(\d+)")
_SUFFIXES = (".png", ".jpg", ".jpeg")


def read_label(path: Path) -> Bytes:
    """The classes of a label map: colours of the 32 labels, or numbers of the 11 classes."""
    palette = [*CAMVID.values(), _VOID_COLOUR] + [_VOID_COLOUR] * (255 - len(CAMVID))
    return read_colours_or_numbers(path, _COLOURS, _NUMBERS, palette)


def list_of(name: str) -> str | None:
    """The list that a frame such as `0016E5_07959` belongs to; None for other names."""
    match = _FRAME.fullmatch(name)
    if match is None:
        return None
    film, frame = match[1], int(match[2])
    if film == "Seq05VD" or (film == "0001TP" and frame > 8520):
        return "test"
    return "val" if film == "0016E5" and 7959 <= frame <= 8159 else "train"


def plan(root: Path, incomplete: bool = False) -> Plan:
    """The plan for a folder with `701_StillsRaw_full` and `LabeledApproved_full`, as the archives unpack.

    `images` and `labels` do, too, and SegNet's `train`, `trainannot` and so on. Frames of other names are
    left alone. incomplete: images without a label are left out. DeepLabError: no such folders, a file is
    missing.
    """
    if not root.is_dir():
        raise DeepLabError(f"{root}: no such folder")
    folders = _folders(root)
    collector = Collector(incomplete)
    lists: dict[str, list[Item]] = {name: [] for name in EXPECTED}
    for pair in folders:
        images = files_by_stem(root / pair[0], _SUFFIXES)
        find = partial(_find, root, pair, images, files_by_stem(root / pair[1], (".png",)))
        for part, items in lists.items():
            ids = ((name, f"{root}/{pair[0]}/{images[name]}") for name in images if list_of(name) == part)
            items += collector.collect(part, ids, find)
    return Plan(
        name="camvid",
        title="CamVid, 11 classes",
        root=root,
        lists=lists,
        expected=EXPECTED,
        links={images: root / images for images, _ in folders},
        palette="camvid",
        net=Net("camvid", 241, 1500),
        left_out=collector.left_out,
    )


def _find(
    root: Path, pair: tuple[str, str], images: dict[str, str], labels: dict[str, str], name: str, where: str
) -> Item | str:
    """The item of a frame, or the label map that is missing; pair: the folders of images and labels."""
    own = next((labels[stem] for stem in (f"{name}_L", name) if stem in labels), None)
    if own is None:
        return f"{pair[1]}/{name}_L.png"
    image = place(f"{pair[0]}/{images[name]}", where)
    return Item(image, f"{LABELS}/{name}.png", Source(root / pair[1] / own, read_label), where)


def _folders(root: Path) -> list[tuple[str, str]]:
    """The pairs of folders, of images and labels, that are there."""
    for pair in _LAYOUTS:
        if all((root / name).is_dir() for name in pair):
            return [pair]
    if found := [pair for pair in _SEGNET.values() if all((root / name).is_dir() for name in pair)]:
        return found
    wanted = [*_LAYOUTS, _SEGNET["train"]]
    raise DeepLabError(
        f"{root}: not CamVid: no folders {', or '.join(' and '.join(pair) for pair in wanted)}"
    )
