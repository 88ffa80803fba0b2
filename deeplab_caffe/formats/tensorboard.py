"""TensorBoard's event files, as far as numbers over iterations go: TFRecords of Event messages.

https://www.tensorflow.org/tutorials/load_data/tfrecord: a record is its length (8 bytes), the length's masked
CRC-32C, the bytes, their masked CRC-32C.
"""

import os
import socket
import struct
import time
from typing import BinaryIO

from . import wire
from .crc32c import crc32c, masked
from .files import file_error

# Field numbers of Event, Summary and Summary.Value.
_WALL_TIME, _STEP, _FILE_VERSION, _SUMMARY = 1, 2, 3, 5
_VALUE, _TAG, _SIMPLE_VALUE = 1, 1, 2


class EventWriter:
    """Appends scalars to a new event file in `folder`, which TensorBoard may watch at the same time."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        name = f"events.out.tfevents.{time.time():.6f}.{socket.gethostname()}.{os.getpid()}"
        self.path = os.path.join(os.fspath(folder), name)
        try:
            os.makedirs(folder, exist_ok=True)
            self._file: BinaryIO = open(self.path, "ab")
        except OSError as error:
            raise file_error(self.path, error) from None
        self._write(wire.bytes_field(_FILE_VERSION, b"brain.Event:2"))

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Adds one number per tag at this step."""
        summary = b""
        for tag, value in values.items():
            number = wire.varint(_SIMPLE_VALUE << 3 | wire.FIXED32) + struct.pack("<f", value)
            summary += wire.bytes_field(_VALUE, wire.bytes_field(_TAG, tag.encode()) + number)
        self._write(wire.number_field(_STEP, step) + wire.bytes_field(_SUMMARY, summary))

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def _write(self, event: bytes) -> None:
        event = wire.varint(_WALL_TIME << 3 | wire.FIXED64) + struct.pack("<d", time.time()) + event
        length = struct.pack("<Q", len(event))
        checks = (struct.pack("<I", masked(crc32c(part))) for part in (length, event))
        try:
            self._file.write(length + next(checks) + event + next(checks))
            self._file.flush()
        except OSError as error:
            raise file_error(self.path, error) from None
