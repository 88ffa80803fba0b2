import pytest

from deeplab_caffe.cluster.journal import Journal, digest
from deeplab_caffe.errors import DeepLabError

SETTINGS = {"scales": "1", "flip": False, "crf": None}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "out" / "run.jsonl"


def write(path, *names):
    with Journal(path, SETTINGS) as journal:
        for name in names:
            journal.add(name, {"of": name})


def test_goes_on(path):
    write(path, "a", "b\n")
    write(path, "c")
    assert Journal(path, SETTINGS).done == {name: {"of": name} for name in ("a", "b\n", "c")}


def test_nothing_is_written_without_a_result(path):
    write(path)
    assert not path.parent.exists()


def test_without_a_path_and_removed(path):
    with Journal(None, SETTINGS) as journal:
        journal.add("a", 1)
        journal.remove()
    write(path, "a")
    journal = Journal(path, SETTINGS)
    journal.add("b", 2)
    journal.remove()
    assert not path.exists() and Journal(path, SETTINGS).done == {}


def test_a_line_that_was_cut_does_not_count(path):
    write(path, "a", "b")
    path.write_bytes(path.read_bytes()[:-5])
    write(path, "c")
    assert Journal(path, SETTINGS).done.keys() == {"a", "c"}


def test_other_settings_are_named(path):
    write(path, "a")
    with pytest.raises(DeepLabError, match=r"run.jsonl: of a run with another flip, scales; remove it"):
        Journal(path, {**SETTINGS, "flip": True, "scales": "1,2"})


@pytest.mark.parametrize(
    "text", ["x\n", "[]\n", "{}\n", '{"settings": {}}\n3\n', '{"settings": {}}\n[3, 4]\n']
)
def test_damaged(path, text):
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(DeepLabError, match="run.jsonl: damaged, remove it"):
        Journal(path, {})


def test_digest(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")
    assert digest(tmp_path / "x").startswith("ba7816bf8f01cfea") and len(digest(tmp_path / "x")) == 64
