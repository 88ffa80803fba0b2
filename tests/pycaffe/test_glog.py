import re

import pytest

import deeplab_caffe.pycaffe as caffe
from deeplab_caffe.pycaffe import glog


@pytest.fixture(autouse=True)
def level(monkeypatch):
    monkeypatch.setattr(glog, "_level", 0)
    monkeypatch.delenv("GLOG_minloglevel", raising=False)


def test_form(capfd):
    caffe.log("a line")
    glog.warning("careful")
    first, second = capfd.readouterr().err.splitlines()
    form = r"%s\d{4} \d\d:\d\d:\d\d\.\d{6} +\d+ \w+\.cpp:0\] %s"
    assert re.fullmatch(form % ("I", "a line"), first) and re.fullmatch(form % ("W", "careful"), second)


@pytest.mark.parametrize("quiet", [lambda m: caffe.init_log(1), lambda m: m.setenv("GLOG_minloglevel", "1")])
def test_levels(capfd, monkeypatch, quiet):
    quiet(monkeypatch)
    caffe.log("a line")
    glog.warning("careful")
    assert capfd.readouterr().err.endswith("careful\n") and "a line" not in capfd.readouterr().err
    caffe.init_log(2, True)
    glog.warning("careful")
    assert not capfd.readouterr().err
