"""`convert_imageset`: images of a list as an LMDB of Datum records."""

import io
import os
import re

import numpy as np
from PIL import Image

from ..errors import DeepLabError
from ..formats import caffe_pb2
from ..formats.datum import array_datum
from ..formats.lmdb_file import writing
from ..images.image_file import read_image
from ..images.image_list import read_lines
from ..images.resize import resize_image
from ..types import Bytes
from .databases import check_backend
from .flags import Flag
from .programs import Call

PLACE = "convert_imageset.cpp"
USAGE = "convert_imageset [FLAGS] ROOT_FOLDER/ LIST NEW_DB; the list holds `image label` lines"
FLAGS = (
    Flag("gray", False, "read the images in grey"),
    Flag("shuffle", False, "write the lines in another order, the same for the same list"),
    Flag("backend", "lmdb", "the kind of database: lmdb"),
    Flag("resize_width", 0, "width that images are resized to"),
    Flag("resize_height", 0, "height that images are resized to"),
    Flag("check_size", False, "stop where an image has another size than the first"),
    Flag("encoded", False, "keep the images as files, in the kind that their names tell"),
    Flag("encode_type", "", "keep the images as files of this kind: png, jpg ..."),
)
ARGUMENTS = (3, 3)
_TELL_EVERY = 1000


def main(call: Call) -> int:
    """Writes the database, whole or not at all; an image that cannot be read is told and left out."""
    flags, log = call.flags, call.log
    root, source, target = call.arguments
    check_backend(flags.text("backend"))
    lines = [_split(line) for _, line in read_lines(source)]
    if flags.yes("shuffle"):
        log.info(PLACE, "Shuffling data")
        lines = [lines[i] for i in np.random.default_rng(0).permutation(len(lines))]
    log.info(PLACE, f"A total of {len(lines)} images.")
    encode = flags.text("encode_type")
    if encode and not flags.yes("encoded"):
        log.info(PLACE, "encode_type is given: the images stay encoded")
    count, size = 0, None
    with writing(target) as database:
        for number, (name, label) in enumerate(lines):
            kind = encode or (os.path.splitext(name)[1][1:].lower() if flags.yes("encoded") else "")
            try:
                datum = read_record(root + name, label, kind, call)
            except DeepLabError as error:
                log.error(PLACE, f"Could not open or find file {error}")
                continue
            now = (datum.channels, datum.height, datum.width) if not datum.encoded else len(datum.data)
            if flags.yes("check_size") and size not in (None, now):
                raise DeepLabError(f"{root + name}: size {now}, those before have {size}")
            size = now
            database[f"{number:08d}_{name}"] = datum.SerializeToString()
            count += 1
            if count % _TELL_EVERY == 0:
                log.info(PLACE, f"Processed {count} files.")
        if not count:
            raise DeepLabError(f"{source}: none of its images can be read")
    if count % _TELL_EVERY:
        log.info(PLACE, f"Processed {count} files.")
    return 0


def read_record(path: str, label: int, kind: str, call: Call) -> caffe_pb2.Datum:
    """The Datum of an image: its bytes, channels B, G, R, or with `kind` ("png") a file of that kind.

    A file that is already what it shall be goes in as it is.
    """
    height, width = call.flags.number("resize_height"), call.flags.number("resize_width")
    color = not call.flags.yes("gray")
    image = read_image(path, color)
    if height > 0 and width > 0:
        image = resize_image(image, height, width)
    elif kind and color and _same_kind(path, kind):
        with open(path, "rb") as file:
            return caffe_pb2.Datum(data=file.read(), label=label, encoded=True)
    if kind:
        return caffe_pb2.Datum(data=_encode(image, kind), label=label, encoded=True)
    return array_datum(image[:, :, ::-1].transpose(2, 0, 1), label)


def _encode(image: Bytes, kind: str) -> bytes:
    form = Image.registered_extensions().get(f".{kind}")
    if form is None or form not in Image.SAVE:
        raise DeepLabError(f"encode_type {kind}: no kind of image that can be written")
    buffer = io.BytesIO()
    options = {"quality": 95} if form == "JPEG" else {}  # OpenCV's
    Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image).save(buffer, form, **options)
    return buffer.getvalue()


def _same_kind(path: str, kind: str) -> bool:
    extension = os.path.splitext(path)[1][1:].lower()
    return extension == kind.lower() or {extension, kind.lower()} == {"jpg", "jpeg"}


def _split(line: str) -> tuple[str, int]:
    """A line's image and label: what follows the last blank, as far as it is a number."""
    name, _, label = line.rpartition(" ")
    number = re.match(r"[+-]?\d+", label)
    return (name, int(number[0])) if number and name else (name or label, 0)
