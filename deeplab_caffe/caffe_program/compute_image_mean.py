"""`compute_image_mean`: the mean image of an LMDB, as mean.binaryproto."""

import numpy as np

from ..errors import DeepLabError
from ..formats.datum import datum_array, read_datum
from ..formats.lmdb_file import LmdbReader
from ..formats.mean_image import write_mean
from ..images.image_file import read_image_bytes
from .databases import check_backend
from .flags import Flag
from .programs import Call

PLACE = "compute_image_mean.cpp"
USAGE = "compute_image_mean [FLAGS] DB [OUTPUT_FILE]"
FLAGS = (Flag("backend", "lmdb", "the kind of database: lmdb"),)
ARGUMENTS = (1, 2)
_TELL_EVERY = 10000


def main(call: Call) -> int:
    """Sums in float32 in the order of the records, as Caffe does; prints each channel's mean."""
    log = call.log
    check_backend(call.flags.text("backend"))
    reader = LmdbReader(call.arguments[0])
    total = np.zeros(0, np.float32)
    log.info(PLACE, "Starting iteration")
    for number in range(len(reader)):
        key, record = reader[number]
        where = f"{reader.path}: record '{key}'"
        datum = read_datum(record, where)
        if datum.encoded:
            values = read_image_bytes(datum.data, where)[:, :, ::-1].transpose(2, 0, 1)
        else:
            values = datum_array(datum, where)
        if number == 0:
            total = np.zeros(values.shape, np.float32)
        if values.shape != total.shape:
            raise DeepLabError(f"{where}: size {values.shape}, those before have {total.shape}")
        total += values
        if (number + 1) % _TELL_EVERY == 0:
            log.info(PLACE, f"Processed {number + 1} files.")
    if len(reader) % _TELL_EVERY:
        log.info(PLACE, f"Processed {len(reader)} files.")
    mean = total / np.float32(len(reader))
    if len(call.arguments) > 1:
        log.info(PLACE, f"Write to {call.arguments[1]}")
        write_mean(call.arguments[1], mean)
    log.info(PLACE, f"Number of channels: {len(mean)}")
    for channel, plane in enumerate(mean):
        # One value after the other, unlike numpy's sum.
        value = np.add.accumulate(plane.ravel())[-1] / np.float32(plane.size)
        log.info(PLACE, f"mean_value channel [{channel}]: {value:.6g}")
    return 0
