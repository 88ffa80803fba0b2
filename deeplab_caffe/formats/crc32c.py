"""CRC-32C (Castagnoli), the checksum of LevelDB tables and TensorFlow checkpoints, at NumPy's speed.

Without its initial and final inversion the checksum is linear over GF(2): of equally long pieces all states
advance side by side, and two neighbours join as shift(left) ^ right, where shift is what as many zero bytes
as the right one has do to a state.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..types import Bytes
from .wire import Buffer

Words = NDArray[np.uint32]

_POLYNOMIAL = 0x82F63B78  # bit-reversed
_LANES = 4096
_LANE_BYTES = 1024
_CHUNK = _LANES * _LANE_BYTES


def crc32c(data: Buffer) -> int:
    """The CRC-32C of the bytes. 0xE3069283 for b"123456789"."""
    given = np.frombuffer(data, np.uint8)
    if given.size < _CHUNK // 64:
        return _short(bytes(given))
    # Zeros in front leave a state of zero alone, so every chunk can be a full one.
    first = given.size % _CHUNK or _CHUNK
    state = _chunk(np.concatenate([np.zeros(_CHUNK - first, np.uint8), given[:first]]))
    for start in range(first, given.size, _CHUNK):
        state = _shift(state, _CHUNK) ^ _chunk(given[start : start + _CHUNK])
    return state ^ _shift(0xFFFFFFFF, given.size) ^ 0xFFFFFFFF


def masked(crc: int) -> int:
    """The form in which files keep it (lest checksums of checksums go wrong): rotated, plus a constant."""
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _short(data: bytes) -> int:
    table = _byte_list()
    state = 0xFFFFFFFF
    for byte in data:
        state = table[(state ^ byte) & 255] ^ state >> 8
    return state ^ 0xFFFFFFFF


def _chunk(chunk: Bytes) -> int:
    """The state after one chunk, from state 0."""
    table = _pair_table()
    columns = np.ascontiguousarray(chunk.view("<u2").reshape(_LANES, -1).T)
    states = np.zeros(_LANES, np.uint32)
    for column in columns:
        states = table[(states ^ column) & 0xFFFF] ^ (states >> 16)
    size = _LANE_BYTES
    while states.size > 1:
        states = _apply(_zeros(size), states[0::2]) ^ states[1::2]
        size *= 2
    return int(states[0])


@lru_cache
def _byte_table() -> Words:
    """What one byte does to state 0."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = (table >> 1) ^ (table & 1) * np.uint32(_POLYNOMIAL)
    return table


@lru_cache
def _byte_list() -> list[int]:
    return _byte_table().tolist()


@lru_cache
def _pair_table() -> Words:
    """What two bytes (little-endian) do to state 0."""
    table = _byte_table()
    pair = np.arange(65536, dtype=np.uint32)
    state = table[pair & 255]
    return table[(state ^ pair >> 8) & 255] ^ state >> 8


@lru_cache
def _zeros(count: int) -> Words:
    """The matrix (the images of the 32 state bits) of `count` zero bytes, a power of two."""
    if count > 1:
        half = _zeros(count // 2)
        return _apply(half, half)
    bits = np.uint32(1) << np.arange(32, dtype=np.uint32)
    return _byte_table()[bits & 255] ^ bits >> 8


def _shift(state: int, count: int) -> int:
    """The state after `count` zero bytes."""
    value = np.array([state], np.uint32)
    for bit in range(count.bit_length()):
        if count >> bit & 1:
            value = _apply(_zeros(1 << bit), value)
    return int(value[0])


def _apply(matrix: Words, states: Words) -> Words:
    result = np.zeros_like(states)
    for bit in range(32):
        result ^= matrix[bit] * (states >> np.uint32(bit) & np.uint32(1))
    return result
