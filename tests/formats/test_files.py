"""Files are read with a limit, and replaced whole or not at all."""

import io
import os
import socket
import sys
from types import SimpleNamespace

import pytest

from deeplab_caffe.errors import DeepLabError, OutOfMemoryError
from deeplab_caffe.formats import files
from deeplab_caffe.formats.files import (
    check_memory,
    file_error,
    map_file,
    named_file,
    open_file,
    read_bytes,
    read_text,
    reading,
    replacing,
)


def test_read_bytes_has_a_limit(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    assert read_bytes(path, 5) == b"12345"
    with pytest.raises(DeepLabError, match="a: larger than the 4 bytes"):
        read_bytes(path, 4)
    with pytest.raises(DeepLabError, match="none: No such file or directory$"):
        read_bytes(tmp_path / "none", 5)


@pytest.mark.parametrize("durable", [False, True])
def test_replacing(tmp_path, durable):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with replacing(path, durable) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new" and list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_the_old_file(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with pytest.raises(KeyError), replacing(path) as file:
        file.write(b"half")
        raise KeyError
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_no_folder(tmp_path):
    with pytest.raises(DeepLabError, match="none/a: No such file"), replacing(tmp_path / "none" / "a"):
        pass
    assert str(file_error("x", ValueError("bad"))) == "x: bad"


def test_only_regular_files_are_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    socket.socket(socket.AF_UNIX).bind(str(tmp_path / "socket"))
    for path in (tmp_path / "pipe", "/dev/zero", "/dev/null"):
        for opened in (open_file, map_file, named_file):
            with pytest.raises(DeepLabError, match="a pipe or a device, a file wanted"):
                opened(path)
    with pytest.raises(DeepLabError, match="a folder, a file wanted"):
        open_file(tmp_path)
    with pytest.raises(DeepLabError, match="socket: No such device"):
        open_file(tmp_path / "socket")
    with pytest.raises(DeepLabError, match=r"a\\x00b: embedded null byte"):
        open_file("a\0b")
    with pytest.raises(DeepLabError, match="File name too long$"):
        open_file("a" * 300)


def test_standard_input_is_asked_for_by_a_dash(monkeypatch):
    files._standard_input.cache_clear()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"text")))
    # As often as one likes, and mapped, too.
    assert read_bytes("-", 10) == b"text" and read_text("-", 10) == "text"
    assert map_file("-")[:] == b"text"
    with pytest.raises(DeepLabError, match="this format needs a file"):
        named_file("-")
    files._standard_input.cache_clear()
    monkeypatch.setattr(files, "_MOST_STANDARD_INPUT", 4)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"more text")))
    with pytest.raises(DeepLabError, match="standard input: more than"):
        open_file("-")


@pytest.mark.parametrize(
    "error, text",
    [
        (KeyError("name"), "a: no list: 'name'"),
        (RecursionError("maximum"), "a: no list: nested too deeply"),
        (ValueError("two\nlines"), "a: no list: two lines"),
        (AssertionError(), "a: no list: AssertionError"),
        (OSError(22, "Invalid argument"), "a: no list: Invalid argument"),
        (MemoryError(), "a: not enough memory for it"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: ..."), "a: not enough memory for it"),
    ],
)
def test_reading_makes_one_line_of_anything(error, text):
    with pytest.raises(DeepLabError) as caught, reading("a", "no list"):
        raise error
    assert str(caught.value) == text
    assert isinstance(caught.value, OutOfMemoryError) == ("memory" in text)


def test_a_long_text_is_cut():
    with pytest.raises(DeepLabError) as caught, reading("a", "no list"):
        raise ValueError("x" * 10_000_000)
    assert 150 < len(str(caught.value)) < 250


def test_what_reading_may_take(tmp_path):
    check_memory("a", 0, 200_000_000)
    check_memory("a", 50_000_000, 400_000_000)
    with pytest.raises(DeepLabError, match=r"a: b: 2\.1 GB of memory wanted; a file of 1 MB may take 204 MB"):
        check_memory("a", 1_000_000, 2_100_000_000, "b")


def test_replacing_a_file_of_a_long_name(tmp_path):
    """The temporary file's name must fit, too, and be text, wherever it is cut."""
    for name in ("a" * 255, "ä" * 127, "a" + "ä" * 127):
        with files.replacing(tmp_path / name) as file:
            file.write(b"abc")
        assert (tmp_path / name).read_bytes() == b"abc"
    with pytest.raises(DeepLabError, match="too long"), files.replacing(tmp_path / ("a" * 256)) as file:
        file.write(b"abc")
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_replacing_no_pipe_or_device(tmp_path):
    """As root, a rename would put a file in the place of /dev/null, which a test better does not try."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(DeepLabError, match="a file wanted"), files.replacing(path):
            pytest.fail("opened")
    assert (tmp_path / "pipe").is_fifo() and os.listdir(tmp_path) == ["pipe"]
