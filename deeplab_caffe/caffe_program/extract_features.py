"""`extract_features`: blobs of a net that feeds itself, as LMDBs of Datum records."""

from contextlib import ExitStack

import numpy as np

from ..engine.net import Net
from ..errors import DeepLabError
from ..formats.datum import array_datum
from ..formats.lmdb_file import writing
from .databases import check_backend
from .gpus import choose
from .net_lines import tell_net, tell_weights
from .programs import Call

PLACE = "extract_features.cpp"
USAGE = """extract_features WEIGHTS MODEL BLOB[,BLOB...] NEW_DB[,NEW_DB...] BATCHES lmdb [CPU|GPU] [ID=0]
  runs the net, in phase TEST, on so many batches of its own data and writes each blob to the database in
  its place, a record an image"""
FLAGS = ()
ARGUMENTS = (6, 8)
_TELL_EVERY = 1000


def main(call: Call) -> int:
    """Writes all databases, whole or not at all."""
    log = call.log
    weights, model, names, targets, batches, backend, *device = call.arguments
    check_backend(backend)
    blobs, paths = names.split(","), targets.split(",")
    if len(blobs) != len(paths):
        raise DeepLabError(f"{len(blobs)} blobs and {len(paths)} databases given, as many wanted")
    if not batches.isdigit() or int(batches) < 1:
        raise DeepLabError(f"{batches}: a number of batches wanted")
    net = Net(model, device=choose(_gpu(device), log)[0])
    tell_net(net, log)
    tell_weights(net.load(weights), log)
    for name in blobs:
        if name not in net.shapes_for():
            raise DeepLabError(f"{model}: no blob is named '{name}'")
    counts = dict.fromkeys(paths, 0)
    with ExitStack() as stack:
        databases = []
        for path in paths:
            log.info(PLACE, f"Opening dataset {path}")
            databases.append(stack.enter_context(writing(path)))
        log.error(PLACE, "Extracting Features")
        for _ in range(int(batches)):
            found = net.forward(outputs=blobs)
            for name, path, database in zip(blobs, paths, databases, strict=True):
                for row in found[name].cpu().numpy().astype(np.float32):
                    database[f"{counts[path]:010d}"] = array_datum(_image(row)).SerializeToString()
                    counts[path] += 1
                    if counts[path] % _TELL_EVERY == 0:
                        _tell(counts[path], name, call)
    for name, path in zip(blobs, paths, strict=True):
        _tell(counts[path], name, call)
    log.error(PLACE, "Successfully extracted the features!")
    return 0


def _gpu(device: list[str]) -> str:
    """The flag --gpu that `GPU 1` means."""
    return device[1] if len(device) > 1 else "0" if device[:1] == ["GPU"] else ""


def _image(row: np.ndarray) -> np.ndarray:
    """An image's features with the three axes of a Datum; ones take the place of those it lacks."""
    if row.ndim > 3:
        raise DeepLabError(f"a blob of {row.ndim + 1} axes: a Datum has room for 4 at most")
    return row.reshape(row.shape + (1,) * (3 - row.ndim))


def _tell(count: int, name: str, call: Call) -> None:
    # Caffe says these as errors, lest they be dropped.
    call.log.error(PLACE, f"Extracted features of {count} query images for feature blob {name}")
