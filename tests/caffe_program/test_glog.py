import os
import re

import pytest

from deeplab_caffe.caffe_program.flags import parse
from deeplab_caffe.caffe_program.glog import Abort, Log, flags
from tests.caffe_program.conftest import LINE


@pytest.fixture
def make_log(tmp_path, monkeypatch):
    for name in ("log_dir", "logtostderr", "alsologtostderr", "stderrthreshold", "minloglevel"):
        monkeypatch.delenv(f"GLOG_{name}", raising=False)

    def make(*words, **environment):
        for name, value in environment.items():
            monkeypatch.setenv(f"GLOG_{name}", value)
        return Log("prog", parse(flags(), [f"--log_dir={tmp_path}", *words])[0])

    return make


def body(path):
    """The lines of a log file without those of its head."""
    lines = path.read_text().splitlines()
    assert re.fullmatch(r"Log file created at: \d{4}/\d\d/\d\d \d\d:\d\d:\d\d", lines[0])
    assert lines[1].startswith("Running on machine: ")
    assert lines[2] == "Log line format: [IWEF]mmdd hh:mm:ss.uuuuuu threadid file:line] msg"
    return lines[3:]


def test_files_and_stderr(make_log, tmp_path, capsys):
    log = make_log()
    log.info("a.cpp", "one\nand more")
    log.warning("b.cpp", "two")
    with pytest.raises(Abort):
        log.fatal("c.cpp", "three")
    log.close()
    lines = capsys.readouterr().err.splitlines()
    assert [LINE.fullmatch(line) and LINE.fullmatch(line)[6] for line in lines] == [
        "one",
        None,
        "two",
        "three",
    ]
    assert body(tmp_path / "prog.INFO") == lines
    assert body(tmp_path / "prog.WARNING") == lines[2:]
    assert body(tmp_path / "prog.ERROR") == body(tmp_path / "prog.FATAL") == lines[3:]
    name = os.readlink(tmp_path / "prog.INFO")
    assert re.fullmatch(rf"prog\..+\..+\.log\.INFO\.\d{{8}}-\d{{6}}\.{os.getpid()}", name)


def test_levels(make_log, tmp_path, capsys):
    log = make_log(minloglevel="1", alsologtostderr="0")
    log.info("a.cpp", "info")
    log.warning("a.cpp", "warning")
    log.error("a.cpp", "error")
    assert [LINE.fullmatch(line)[6] for line in capsys.readouterr().err.splitlines()] == ["error"]
    assert [line[0] for line in body(tmp_path / "prog.INFO")] == ["W", "E"]


def test_to_stderr_only(make_log, tmp_path, capsys):
    make_log(logtostderr="1").info("a.cpp", "text")
    assert "text" in capsys.readouterr().err and not os.listdir(tmp_path)


def test_a_folder_that_is_not_there(make_log, tmp_path, capsys):
    log = make_log(f"--log_dir={tmp_path}/none")
    for text in ("one", "two"):
        log.info("a.cpp", text)
    err = capsys.readouterr().err
    assert err.count("COULD NOT CREATE LOGFILE") == 1 and "two" in err


def test_one_that_is_silent(make_log, tmp_path, capsys):
    log = make_log()
    log.silent = True
    log.info("a.cpp", "one")
    log.error("a.cpp", "two")
    assert "two" in (err := capsys.readouterr().err) and "one" not in err and not os.listdir(tmp_path)
