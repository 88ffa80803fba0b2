"""Streams that inflate to very many zeros, made without packing all of them."""

import zlib

_STEP = 1 << 20


def inflating(head: bytes, zeros: int) -> bytes:
    """A zlib stream of `head` and so many zeros: the packed zeros of one step, again and again."""
    packer = zlib.compressobj(wbits=-15)
    first = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    step = packer.compress(bytes(_STEP)) + packer.flush(zlib.Z_FULL_FLUSH)
    count, rest = divmod(zeros, _STEP)
    last = packer.compress(bytes(rest)) + packer.flush()
    checksum = zlib.adler32(head)
    for _ in range(count):
        checksum = zlib.adler32(bytes(_STEP), checksum)
    checksum = zlib.adler32(bytes(rest), checksum)
    return b"\x78\x9c" + first + step * count + last + checksum.to_bytes(4, "big")
