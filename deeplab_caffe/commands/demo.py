"""`deeplab-caffe demo`: the bundled model on the bundled photos, or on yours."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..crf.parameters import CAMVID
from . import options
from .inputs import collect
from .options import verb

if TYPE_CHECKING:
    from ..images.palettes import Palette
    from ..images.stored_image import ImageFile
    from ..segmenter.segmenter import Segmenter
    from ..types import Bytes

CREDIT = (
    "Photos: CamVid (Brostow, Fauqueur, Cipolla, PRL 2009; Brostow, Shotton, Fauqueur, Cipolla, ECCV 2008)"
)


OWN = "--model camvid_largefov --weights camvid_largefov --palette camvid"
LONGEST = 640  # pixels; the model has learned from photos of 480x360, larger ones are made smaller
TITLES = {"photo": "photo", "net": "DeepLab-LargeFOV", "crf": "with dense CRF"}
GAP, BAND = 8, 26  # pixels between the panels, and for a line of text


@verb("demo")
def demo(
    images: Annotated[
        list[str] | None,
        typer.Argument(metavar="[IMAGE|FOLDER|LIST...]", help="Photos of streets; default: two that ship."),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where the pictures go.")
    ] = Path("demo-output"),
    device: options.Device = "cpu",
    precision: options.Precision = "exact",
    threads: options.Threads = None,
) -> None:
    """Segment street photos with the bundled model and show where the pictures are.

    For each photo: label map, overlay, the same after a dense CRF, and one picture with all of them. Photos
    larger than 640 pixels are made smaller; the model knows the classes of street scenes only.
    """
    from rich.table import Table

    from .. import assets
    from ..images import palettes
    from ..segmenter.segmenter import Segmenter

    photos: dict[str, ImageFile]
    photos = {path.stem: path for path in assets.demo_photos()} if not images else collect(images)
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
        task = bar.add_task("segmenting", total=len(photos))
        for name, photo in photos.items():
            record = segment_photo(segmenter, name, photo, output, colours)
            records.append(record)
            seconds = record["seconds"]
            table.add_row(
                Path(str(photo)).name, record["picture"], f"{seconds['net']:.2f} s", f"{seconds['crf']:.2f} s"
            )
            bar.advance(task)
    options.write_json(output / "demo.json", records)
    options.print_table(table)
    if images:
        print(f"Next, a page of a whole folder: deeplab-caffe predict {OWN} --crf FOLDER -o OUT")
    else:
        print(CREDIT)
        print("Next, a street photo of yours: deeplab-caffe demo my.jpg; other nets: deeplab-caffe models")


def segment_photo(
    segmenter: "Segmenter", name: str, photo: "ImageFile", output: Path, colours: "Palette"
) -> dict[str, Any]:
    """Writes all results for one photo, by that name; returns its record for demo.json."""
    import time

    from ..images import image_file
    from ..segmenter.segmentation import refine_scores, segment
    from ..segmenter.segmenter import overlay

    image = read_photo(photo)
    start = time.perf_counter()
    scores, plain = segment(segmenter, image)
    middle = time.perf_counter()
    refined = refine_scores(image, scores, CAMVID, threads=segmenter.net.context.threads).labels
    end = time.perf_counter()
    panels = {"photo": image}
    for title, labels in (("net", plain), ("crf", refined)):
        panels[title] = overlay(image, labels, colours.colours)
        image_file.write_image(output / f"{name}_{title}_labels.png", labels, colours.colours)
        image_file.write_image(output / f"{name}_{title}.png", panels[title])
    picture = output / f"{name}.png"
    draw(panels, [int(label) for label in sorted({*plain.flat, *refined.flat})], colours, picture)
    return {
        "photo": str(photo),
        "height": image.shape[0],
        "width": image.shape[1],
        "picture": str(picture),
        "seconds": {"net": round(middle - start, 4), "crf": round(end - middle, 4)},
    }


def read_photo(path: "ImageFile") -> "Bytes":
    """RGB bytes, upright as a camera's EXIF says, of at most LONGEST pixels a side. Raises DeepLabError."""
    from io import BytesIO

    import numpy as np
    from PIL import Image, ImageOps

    from ..images.image_file import read_image
    from ..images.resize import smooth_resize
    from ..images.stored_image import StoredImage

    image = read_image(path)
    with Image.open(BytesIO(path.read()) if isinstance(path, StoredImage) else path) as stored:
        turned = Image.fromarray(image)
        turned.getexif().update(stored.getexif())
    upright = np.asarray(ImageOps.exif_transpose(turned))
    height, width = upright.shape[:2]
    scale = LONGEST / max(height, width)
    if scale >= 1:
        return upright
    return smooth_resize(upright, max(1, round(height * scale)), max(1, round(width * scale)))


def draw(panels: dict[str, "Bytes"], labels: list[int], colours: "Palette", path: Path) -> None:
    """One picture: the panels side by side, below them colours and names of `labels`, in lines that fit."""
    import numpy as np
    from PIL import Image, ImageDraw, ImageFont

    from ..images import image_file

    height, width = next(iter(panels.values())).shape[:2]
    font = ImageFont.load_default(16)
    step = GAP + max(width, *(int(font.getlength(title)) for title in TITLES.values()))
    total = GAP + len(panels) * step
    lines: list[list[tuple[int, int]]] = [[]]  # (label, left)
    left = GAP
    for label in labels:
        wide = 36 + int(font.getlength(colours.name(label)))
        if lines[-1] and left + wide > total:
            lines.append([])
            left = GAP
        lines[-1].append((label, left))
        left += wide
    canvas = Image.new("RGB", (total, BAND + height + GAP + len(lines) * BAND), "white")
    pen = ImageDraw.Draw(canvas)
    for number, (name, pixels) in enumerate(panels.items()):
        canvas.paste(Image.fromarray(np.ascontiguousarray(pixels)), (GAP + number * step, BAND))
        pen.text((GAP + number * step, 4), TITLES[name], fill="black", font=font)
    for number, line in enumerate(lines):
        top = BAND + height + GAP + number * BAND
        for label, left in line:
            colour = tuple(int(value) for value in colours.colours[label])
            pen.rectangle((left, top + 2, left + 16, top + 18), fill=colour, outline="black")
            pen.text((left + 22, top), colours.name(label), fill="black", font=font)
    image_file.write_image(path, np.asarray(canvas))
