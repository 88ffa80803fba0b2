import sys

import pytest

from deeplab_caffe.cluster.terms import Cluster
from deeplab_caffe.commands.workers import _with_address, cluster_of
from deeplab_caffe.errors import DeepLabError


@pytest.mark.parametrize(
    "words, meant",
    [
        ("--ray", "--ray=auto"),
        ("--ray photos -o out", "--ray=auto photos -o out"),
        ("photos --ray --crf", "photos --ray=auto --crf"),
        ("--ray local photos", "--ray local photos"),
        ("--ray 10.0.0.1:6379 photos", "--ray 10.0.0.1:6379 photos"),
        ("--ray s3://bucket/photos", "--ray=auto s3://bucket/photos"),
        ("--ray=x", "--ray=x"),
        ("-- --ray", "-- --ray"),
    ],
)
def test_the_address_may_be_left_out(words, meant):
    assert _with_address(words.split()) == meant.split()


def test_cluster():
    assert cluster_of(None, 2, "cuda:1") is None
    assert cluster_of("auto", 2, "cuda") == Cluster("auto", 2, gpus=1)
    with pytest.raises(DeepLabError, match="--device cuda:1: with --ray cpu or cuda"):
        cluster_of("auto", 2, "cuda:1")


def test_wrong_address(net, tmp_path, fails):
    line = fails("predict", "-m", net, tmp_path, "-o", tmp_path / "out", "--ray=x")
    assert "--ray x: auto, local or HOST:PORT wanted" in line


def test_nobody_at_the_address(net, tmp_path, fails):
    pytest.importorskip("ray", reason="needs ray")
    (tmp_path / "a.png").write_bytes(b"never opened")
    line = fails("predict", "-m", net, tmp_path / "a.png", "-o", tmp_path / "out", "--ray", "127.0.0.1:1")
    assert "--ray 127.0.0.1:1: " in line and "refused" in line


def test_without_ray(net, tmp_path, fails, monkeypatch):
    """One line, as for every package that is missing."""
    monkeypatch.setitem(sys.modules, "ray", None)
    (tmp_path / "a.png").write_bytes(b"never opened")
    line = fails("predict", "-m", net, tmp_path / "a.png", "-o", tmp_path / "out", "--ray")
    assert line == "error: this needs ray: pip install 'deeplab_caffe[ray]'\n"
