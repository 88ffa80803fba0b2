"""That the fuzzer finds what it should; then a short run: old findings, a few new inputs of every reader."""

import mmap
import random
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest

from deeplab_caffe.errors import DeepLabError, DeepLabWarning
from tests import fresh
from tests.fuzz import __main__ as fuzzer
from tests.fuzz.check import check
from tests.fuzz.mutate import mutate
from tests.fuzz.targets import ALL, CORPUS


def text(message):
    """An error of this text, which the class itself would have made one line."""
    error = DeepLabError()
    error.args = (message,)
    return error


def raises(error):
    def read(path):
        raise error

    return read


@pytest.fixture
def file(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    return str(tmp_path / "a")


def test_accepts_success_and_a_line(file):
    assert check(lambda path: None, file, 0 if sys.platform != "linux" else 1 << 20) is None
    assert check(raises(DeepLabError(f"{file}: no")), file, 1 << 20) is None
    assert check(lambda path: warnings.warn("a", DeepLabWarning, stacklevel=1), file, 1 << 20) is None


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (KeyError("a"), "KeyError"),
        (MemoryError(), "MemoryError"),
        (text("two\nlines"), "message"),
        (text("\x1b[31m"), "message"),
        (text("a" * 451), "message"),
        (text(""), "message"),
    ],
)
def test_finds_other_errors(file, error, kind):
    assert check(raises(error), file, 1 << 20).kind.startswith(kind)


def test_finds_warnings(file):
    assert check(lambda path: warnings.warn("a", stacklevel=1), file, 1 << 20).kind.startswith("warning")


def test_finds_memory_and_time(file, monkeypatch):
    def large(path):
        with mmap.mmap(-1, 80 << 20) as pages:  # never what an earlier test has given back to the heap
            pages.write(bytes(80 << 20))

    assert check(large, file, 10 << 20).kind.startswith("memory")
    monkeypatch.setattr("tests.fuzz.check.SECONDS", 0.01)

    def slow(path):
        end = time.process_time() + 0.1
        while time.process_time() < end:
            pass

    assert check(slow, file, 10 << 20).kind.startswith("slow")


def test_changes_depend_on_the_seed_alone():
    for target in ALL.values():
        first = next(iter(target.seeds()))
        one, two, other = (mutate(first, first, random.Random(seed)) for seed in (1, 1, 2))
        assert one == two and (one != other or one != first)


def test_finds_the_end_of_a_process(tmp_path, monkeypatch):
    """A worker that ends, or hangs, leaves the input behind."""
    program = "import os, sys, struct, time\nfrom pathlib import Path\nfolder = Path(sys.argv[2])\n"
    program += "(folder / 'input.bin').write_bytes(b'evil')\n"
    program += "open(folder / 'state', 'r+b').write(struct.pack('<Qd', 3, time.time()))\n"
    popen = subprocess.Popen
    for end, kind in (("os.kill(os.getpid(), 11)", "ended with -11"), ("time.sleep(60)", "hang")):
        monkeypatch.setattr(
            subprocess,
            "Popen",
            lambda args, end=end, **named: popen([args[0], "-c", program + end, *args[3:]]),
        )
        report = fuzzer.fuzz("bin", ".bin", tmp_path / kind, 0.3, "mutator", 1, hang=0.3)
        assert report["inputs"] == 3
        (finding,) = report["findings"]
        assert finding["kind"] == kind and Path(finding["input"]).read_bytes() == b"evil"


def test_the_corpus_has_targets():
    assert {folder.name for folder in CORPUS.glob("*")} <= ALL.keys()


@pytest.mark.slow
def test_a_short_run():
    done = fresh.run("-m", "tests.fuzz.short", "40", cwd=fuzzer.ROOT, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
