"""Numbers as options have them; what commands make of them is in tests/hostile/test_numbers.py."""

from types import SimpleNamespace

import pytest

from deeplab_caffe.commands.numbers import finite, several, threads, whole
from deeplab_caffe.errors import DeepLabError

OPTION = SimpleNamespace(opts=["-x", "--option"])


def test_finite():
    assert finite(OPTION, 1.5) == 1.5 and finite(OPTION, None) is None
    for value in (float("nan"), float("inf")):
        with pytest.raises(DeepLabError, match=f"--option {value}: a finite number wanted"):
            finite(OPTION, value)


def test_threads():
    assert threads(OPTION, 2) == 2 and threads(OPTION, None) is None
    with pytest.raises(DeepLabError, match="--option: 3000 given, at most"):
        threads(OPTION, 3000)


def test_whole():
    assert whole("17", 17) == 17
    assert [whole(text, 17) for text in ("18", "0", "", "-1", "²", "1.0", " 1", "9" * 5000)] == [None] * 8


def test_several():
    assert several("1,2.5", "--option") == (1.0, 2.5)
    for text in ("", "1,", "a", "nan", "1,inf"):
        with pytest.raises(DeepLabError, match="--option .*: numbers with commas between wanted"):
            several(text, "--option")
