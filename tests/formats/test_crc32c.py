"""CRC-32C: published check values; the wide form against the bytewise one."""

import numpy as np
import pytest

from deeplab_caffe.formats import crc32c as module
from deeplab_caffe.formats.crc32c import crc32c, masked


def test_published_values():
    # RFC 3720, appendix B.4, and the usual check value.
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E
    assert crc32c(b"") == 0


def test_masked():
    assert masked(0) == 0xA282EAD8
    assert masked(0xE3069283) == ((0xE3069283 >> 15 | 0xE3069283 << 17) + 0xA282EAD8) % 2**32


@pytest.mark.parametrize("size", [65535, 65536, 65539, 300_001])
def test_wide_equals_bytewise(size):
    data = np.random.RandomState(size).bytes(size)
    assert crc32c(data) == module._short(data)


def test_several_chunks(monkeypatch):
    monkeypatch.setattr(module, "_LANES", 64)
    monkeypatch.setattr(module, "_LANE_BYTES", 16)
    monkeypatch.setattr(module, "_CHUNK", 1024)
    data = np.random.RandomState(0).bytes(5000)
    for size in (16, 1023, 1024, 1025, 2048, 5000):
        assert crc32c(data[:size]) == module._short(data[:size])
