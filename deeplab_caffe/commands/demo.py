"""`deeplab-caffe demo`: the bundled model on the bundled photos."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..crf.parameters import CAMVID
from . import options
from .options import verb

if TYPE_CHECKING:
    from ..images.palettes import Palette

CREDIT = (
    "Photos: CamVid (Brostow, Fauqueur, Cipolla, PRL 2009; Brostow, Shotton, Fauqueur, Cipolla, ECCV 2008)"
)


@verb("demo")
def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where the pictures go.")
    ] = Path("demo-output"),
    device: options.Device = "cpu",
    precision: options.Precision = "exact",
    threads: options.Threads = None,
) -> None:
    """Segment the bundled street photos with the bundled model and show where the pictures are.

    For each photo: label map, overlay, the same after a dense CRF, and one picture with all of them.
    """
    from rich.table import Table

    from .. import assets
    from ..images import palettes
    from ..segmenter.segmenter import Segmenter

    segmenter = Segmenter(
        assets.asset("prototxt/camvid_largefov/deploy.prototxt"),
        assets.asset("weights/camvid_largefov.caffemodel"),
        device=device,
        precision=precision,
        threads=threads,
    )
    colours = palettes.palette("camvid")
    table = Table("photo", "picture", "net", "with CRF", title=f"Street scenes, {len(colours.names)} classes")
    records = []
    with options.progress(options.console()) as bar:
        photos = assets.demo_photos()
        task = bar.add_task("segmenting", total=len(photos))
        for photo in photos:
            record = segment_photo(segmenter, photo, output, colours)
            records.append(record)
            seconds = record["seconds"]
            table.add_row(photo.name, record["picture"], f"{seconds['net']:.2f} s", f"{seconds['crf']:.2f} s")
            bar.advance(task)
    options.write_json(output / "demo.json", records)
    options.print_table(table)
    print(CREDIT)


def segment_photo(segmenter: Any, photo: Path, output: Path, colours: "Palette") -> dict[str, Any]:
    """Writes all results for one photo; returns its record for demo.json."""
    import time

    from ..images import image_file
    from ..segmenter.segmentation import refine_scores, segment
    from ..segmenter.segmenter import overlay

    image = image_file.read_image(photo)
    start = time.perf_counter()
    scores, plain = segment(segmenter, image)
    middle = time.perf_counter()
    refined = refine_scores(image, scores, CAMVID, threads=segmenter.net.context.threads).labels
    end = time.perf_counter()
    panels = {"photo": image}
    for title, labels in (("net", plain), ("crf", refined)):
        panels[title] = overlay(image, labels, colours.colours)
        image_file.write_image(output / f"{photo.stem}_{title}_labels.png", labels, colours.colours)
        image_file.write_image(output / f"{photo.stem}_{title}.png", panels[title])
    picture = output / f"{photo.stem}.png"
    draw(panels, refined, colours, picture)
    return {
        "photo": str(photo),
        "picture": str(picture),
        "seconds": {"net": round(middle - start, 4), "crf": round(end - middle, 4)},
    }


def draw(panels: dict[str, Any], labels: Any, colours: "Palette", path: Path) -> None:
    """One picture: the panels side by side, the classes that occur below them."""
    import numpy as np
    from PIL import Image, ImageDraw, ImageFont

    from ..images import image_file

    titles = {"photo": "photo", "net": "DeepLab-LargeFOV", "crf": "with dense CRF"}
    height, width = next(iter(panels.values())).shape[:2]
    gap, band = 8, 26
    font = ImageFont.load_default(16)
    canvas = Image.new(
        "RGB", (len(panels) * (width + gap) - gap + 2 * gap, height + 2 * band + 2 * gap), "white"
    )
    pen = ImageDraw.Draw(canvas)
    for number, (name, pixels) in enumerate(panels.items()):
        left = gap + number * (width + gap)
        canvas.paste(Image.fromarray(np.ascontiguousarray(pixels)), (left, band))
        pen.text((left, 4), titles[name], fill="black", font=font)
    left, top = gap, band + height + gap
    for label in np.unique(labels):
        colour = tuple(int(value) for value in colours.colours[label])
        pen.rectangle((left, top + 2, left + 16, top + 18), fill=colour)
        pen.text((left + 22, top), colours.name(int(label)), fill="black", font=font)
        left += 36 + int(pen.textlength(colours.name(int(label)), font=font))
    image_file.write_image(path, np.asarray(canvas))
