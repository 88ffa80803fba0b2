"""The files of a prepared data set that `run` wants: its TOML file, prototxts, colours, and a summary."""

import shutil
from pathlib import Path
from typing import Any

from ..crf.parameters import AUTHORS, CAMVID
from ..formats.files import replacing
from ..images.palettes import Palette, palette
from ..images.preprocessing import MEAN
from .nets import NetFiles, make_net
from .plan import Plan
from .prepare import Prepared
from .published import published


def classes_of(plan: Plan) -> Palette:
    """Names and colours of the classes, by label."""
    whole = palette(plan.palette)
    if not plan.without_background:
        return whole
    return Palette(whole.colours[1:], whole.names[1:])


def write_palette(plan: Plan, output: Path) -> None:
    """Writes `palette.txt`, which --palette takes: `red green blue name` a line."""
    classes = classes_of(plan)
    lines = [
        f"{' '.join(map(str, classes.colours[label]))} {name}\n" for label, name in enumerate(classes.names)
    ]
    with replacing(output / "palette.txt") as file:
        file.write("".join(lines).encode())


def write_configuration(plan: Plan, prepared: Prepared, output: Path, net: str) -> Path:
    """Writes NET.toml and config/NET, and returns the former. Files that are there stay: they may be edited.

    Raises DeepLabError for an unknown net.
    """
    files = make_net(plan, net, len(classes_of(plan).names), (prepared.height, prepared.width))
    config, model = output / "config" / net, output / "model" / net
    for folder in (config, model):
        folder.mkdir(parents=True, exist_ok=True)
    toml = output / f"{net}.toml"
    texts = {config / name: text for name, text in files.texts.items()}
    texts[toml] = _toml(plan, files, output, net)
    for path, text in texts.items():
        if not path.exists():
            with replacing(path) as file:
                file.write(text.encode())
    initial = model / "init.caffemodel"
    if files.initial is not None and not initial.exists():
        with replacing(initial) as file, files.initial.open("rb") as source:
            shutil.copyfileobj(source, file)
    return toml


def _toml(plan: Plan, files: NetFiles, output: Path, net: str) -> str:
    here = str(output.resolve()).replace("\\", "\\\\").replace('"', '\\"')
    mean = " ".join(f"{value:g}" for value in MEAN)
    places = "${EXP}/config/${NET_ID}"
    parts = [
        f"# {plan.title}. Names and colours of the classes: palette.txt; mean pixel (BGR): {mean}.\n"
        f"# deeplab-caffe run {output / net}.toml; moved elsewhere: --set EXP=FOLDER --set DATA_ROOT=FOLDER\n"
        f'name = "{net}"\noutput = "${{EXP}}/results/${{NET_ID}}"\n\n'
        f'[variables]\nEXP = "{here}"\nDATA_ROOT = "{here}"\n'
    ]
    if files.trains:
        unfold = f'unfold = "{places}/train.prototxt"\n' if files.normalised else ""
        parts.append(
            f'[train]\nsolver = "{places}/solver.prototxt"\nset = "{plan.train}"\n'
            f'weights = "${{EXP}}/model/${{NET_ID}}/init.caffemodel"\n{unfold}precision = "fp32"\n'
        )
        weights = f'fold = "{places}/train.prototxt"\n' if files.normalised else ""
    else:
        weights = 'weights = "${EXP}/model/${NET_ID}/deploy.caffemodel"\n'
    parts.append(
        f'[test]\nmodel = "{places}/test.prototxt"\n{weights}sets = ["{plan.test}"]\n'
        f'features = "{files.features}"\n'
    )
    crf = CAMVID if plan.name == "camvid" else AUTHORS
    fields = ("iterations", "pos_std", "pos_w", "bi_xy_std", "bi_rgb_std", "bi_w")
    parts.append("[crf]\n" + "".join(f"{name} = {getattr(crf, name):g}\n" for name in fields))
    parts.append('[evaluation]\npalette = "${EXP}/palette.txt"\n')
    return "\n".join(parts)


def summary(plan: Plan, prepared: Prepared, remarks: list[str]) -> dict[str, Any]:
    """What `dataset.json` holds: lists and counts, classes, mean pixel, what was made, published results."""
    classes = classes_of(plan)
    return {
        "name": plan.name,
        "title": plan.title,
        "root": str(plan.root.resolve()),
        "lists": {
            name: {"images": len(plan.lists.get(name, ())), "expected": plan.expected.get(name)}
            for name in {**plan.lists, **plan.expected}
        },
        "left_out": plan.left_out,
        "remarks": remarks,
        "classes": [
            {"label": label, "name": name, "colour": classes.colours[label].tolist()}
            for label, name in enumerate(classes.names)
        ],
        "void": 255,
        "mean_pixel_bgr": list(MEAN),
        "largest_image": [prepared.height, prepared.width],
        "label_maps": {"written": prepared.written, "kept": prepared.kept},
        "published": [vars(result) for result in published(plan.name)],
    }
