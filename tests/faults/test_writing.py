"""What a verb leaves when it is killed, interrupted or finds the disk full as it writes, and how it goes on.

Each runs in a process forked for it, in which the file that is being written fails at one of its writes: half
of what was to be written is there then.
"""

import builtins
import errno
import json
import os
import shutil
import signal
import sys
import traceback
from bisect import bisect_left

import numpy as np
import pytest
import torch
from PIL import Image

from deeplab_caffe.commands import main
from deeplab_caffe.export import export
from deeplab_caffe.formats import files
from tests.faults.verbs import commands, prepare

VERBS = [
    *("predict", "forward", "crf", "crf-search", "eval", "inspect", "generate", "upgrade", "fold", "convert"),
    *("validate", "train", "export"),
]
FAULTS = {
    "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "interrupted": lambda: signal.raise_signal(signal.SIGINT),
    "full": lambda: builtins.exec("raise OSError(28, 'No space left on device')"),
}
# Those that only grow, line by line, record by record; a broken end is nobody's loss.
GROWING = ("_log.jsonl", ".vm")
# exit codes
INTERRUPTED, ERRORS = 130, (1, 2)  # 1: of several images one could not be written

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
]


class Failing:
    """A file that does what `fault` says at one write of all that a process makes; 0: at none."""

    count = 0

    def __init__(self, file, number, fault):
        self.file, self.number, self.fault = file, number, fault

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.file.close()

    def __getattr__(self, name):
        return getattr(self.file, name)

    def write(self, data):
        Failing.count += 1
        if Failing.count == self.number:
            data = memoryview(data).cast("B")
            self.file.write(data[: len(data) // 2])
            self.file.flush()
            FAULTS[self.fault]()
            # Training goes on to the end of the iteration when it is interrupted.
            return len(data) // 2 + self.file.write(data[len(data) // 2 :])
        return self.file.write(data)


def run(arguments, folder, number=0, fault="", log="log"):
    """The exit status of a verb in a process of its own (below 0: the signal), and its number of writes."""
    read, write = os.pipe()
    child = os.fork()
    if child:
        os.close(write)
        with os.fdopen(read) as pipe:
            count = pipe.read()
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), int(count or 0)
    code = 99
    try:
        output = os.open(folder / log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for descriptor in (1, 2):
            os.dup2(output, descriptor)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.chdir(folder)
        torch.set_num_threads(1)
        files.open = lambda path, mode="r", **how: (
            Failing(builtins.open(path, mode, **how), number, fault)
            if "w" in mode
            else builtins.open(path, mode, **how)
        )
        # What takes seconds and writes nothing has tests of its own: exported nets that run, charts.
        from matplotlib.figure import Figure

        export.run_fresh = lambda kind, file, weights, cases: [list(c.outputs.values()) for c in cases]
        Figure.savefig = blank
        code = main(arguments)
        sys.stderr.flush()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os.write(write, str(Failing.count).encode())
        os._exit(code)


def blank(figure, file, format, **how):
    """In place of `savefig`: an empty picture."""
    if format == "svg":
        file.write("<svg ></svg>")
    else:
        Image.new("RGB", (64, 64)).save(file, format)


def visible(folder):
    """Every file that is not one on its way to be one, by its name below the folder."""
    found = (path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".tmp"))
    return {str(path.relative_to(folder)): path for path in found}


def check_whole(path, twin):
    """That a file is all there: as in a run that nothing disturbed, or at least readable to its end."""
    data = path.read_bytes()
    if data == twin.read_bytes() or path.name.endswith(GROWING) or "tfevents" in path.name:
        return
    if path.suffix == ".json":
        json.loads(data)
    elif path.suffix in (".png", ".jpg"):
        Image.open(path).load()
    elif path.suffix in (".npy", ".npz"):
        values = np.load(path)
        [values[name] for name in getattr(values, "files", [])]
    elif path.suffix == ".html":
        assert data.rstrip().endswith(b"</html>")
    else:
        raise AssertionError(f"{path} is not {twin}")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """What the commands read."""
    # What the verbs load and make, once: before the forks, and not where tests are only collected.
    import matplotlib.figure  # noqa: F401

    import deeplab_caffe.netgraph.page
    import deeplab_caffe.segmenter.contact_sheet
    import deeplab_caffe.solver
    import deeplab_caffe.validate.diagnosis.diagnose
    import deeplab_caffe.validate.report  # noqa: F401

    assert main(["version"]) == 0
    Image.init()
    folder = tmp_path_factory.mktemp("prepared")
    prepare(folder)
    return folder


@pytest.fixture
def folder(prepared):
    """The same, without results: nets know its path."""
    yield prepared
    for name in ("out", "whole"):
        shutil.rmtree(prepared / name, ignore_errors=True)


@pytest.mark.parametrize("verb", VERBS)
def test_nothing_half_written(folder, verb):
    arguments = commands(folder)[verb]
    out, whole = folder / "out", folder / "whole"
    code, writes = run(arguments, folder)
    assert code == 0 and writes > 0, (folder / "log").read_text()
    out.rename(whole)
    wanted = visible(whole)
    for number, fault in zip((writes, 1, (writes + 1) // 2), FAULTS, strict=True):
        code, _ = run(arguments, folder, number, fault)
        text = (folder / "log").read_text()
        left = visible(out) if out.exists() else {}
        for name, path in left.items():
            check_whole(path, wanted.get(name, path))
        if fault == "killed":
            assert code == -signal.SIGKILL
        else:
            assert code in (INTERRUPTED,) if fault == "interrupted" else code in ERRORS, text
            assert not [path for path in out.rglob("*.tmp")]
            assert ("interrupted" if fault == "interrupted" else "No space left on device") in text
            assert "Traceback" not in text
        again, _ = run(arguments, folder)
        assert again == 0, (folder / "log").read_text()
        found = {name for name in visible(out) if "tfevents" not in name}
        missing = {name for name in wanted if "tfevents" not in name} - found
        # Interrupted training leaves a snapshot of where it was.
        assert not missing and all(name.startswith("net_iter_") for name in found - wanted.keys())
        for name, path in visible(out).items():
            check_whole(path, wanted.get(name, path))
            if name in wanted and path.suffix in (".caffemodel", ".npy", ".csv", ".prototxt"):
                assert path.read_bytes() == wanted[name].read_bytes()
        shutil.rmtree(out)


def test_the_search_goes_on(folder):
    """Killed in the second image, it takes up the first one's counts."""
    arguments = commands(folder)["crf-search"]
    code, writes = run(arguments, folder)
    table = (folder / "out" / "search.csv").read_bytes()
    shutil.rmtree(folder / "out")

    def first_is_there(number):
        shutil.rmtree(folder / "out", ignore_errors=True)
        assert run(arguments, folder, number, "killed")[0] == -signal.SIGKILL
        return (folder / "out" / "counts.npz").exists()

    # The first write behind it: from then on it is there.
    first_is_there(bisect_left(range(1, writes + 1), True, key=first_is_there) + 1)
    assert np.load(folder / "out" / "counts.npz")["done"] == 1
    assert run(arguments, folder)[0] == 0
    assert (folder / "out" / "search.csv").read_bytes() == table


def test_errno_of_a_full_disk():
    with pytest.raises(OSError) as caught:
        FAULTS["full"]()
    assert caught.value.errno == errno.ENOSPC
