"""Lists of images: what a line says, and which entry has which number."""

import pytest

from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.images import image_list
from deeplab_caffe.images.image_list import Entry, Stream


def test_join_takes_both_spellings():
    assert image_list.join("root/", "/a.png") == image_list.join("root", "a.png") == "root/a.png"
    assert image_list.join("", "/a.png") == "/a.png"


def test_a_line_is_an_image_and_maybe_a_label(tmp_path):
    source = tmp_path / "list.txt"
    source.write_text("/a.png /b c.png\n\nd.png\n  e.png\t7  \n")
    assert image_list.read_list(str(source), "root") == [
        Entry("root/a.png", "/b c.png", str(source), 1),
        Entry("root/d.png", "", str(source), 3),
        Entry("root/e.png", "7", str(source), 4),
    ]


@pytest.mark.parametrize("content, message", [(b" \n", "the list is empty"), (b"\xff", "not a text file")])
def test_what_is_no_list(tmp_path, content, message):
    (tmp_path / "list.txt").write_bytes(content)
    with pytest.raises(DeepLabError, match=f"list.txt: {message}"):
        image_list.read_list(str(tmp_path / "list.txt"))
    with pytest.raises(DeepLabError, match="No such file"):
        image_list.read_list(str(tmp_path / "none.txt"))


ENTRIES = [Entry(f"{number}.png", "") for number in range(5)]


def test_a_stream_starts_again_at_its_end():
    stream = Stream(ENTRIES, shuffle=False, skip=0, seed=1)
    assert [stream[number] for number in range(7)] == ENTRIES + ENTRIES[:2]


def test_each_round_has_all_entries_in_an_order_of_its_own():
    stream = Stream(ENTRIES, shuffle=True, skip=0, seed=1)
    numbers = [stream[number] for number in range(50)]
    rounds = [numbers[start : start + 5] for start in range(0, 50, 5)]
    assert all(sorted(entry.image for entry in one) == [e.image for e in ENTRIES] for one in rounds)
    assert len({tuple(one) for one in rounds}) > 1
    again = Stream(ENTRIES, shuffle=True, skip=0, seed=1)
    assert [again[number] for number in reversed(range(50))] == numbers[::-1]
    other = Stream(ENTRIES, shuffle=True, skip=0, seed=2)
    assert [other[number] for number in range(50)] != numbers


def test_skip_starts_anywhere_before_it():
    starts = {Stream(ENTRIES, shuffle=False, skip=3, seed=seed).start for seed in range(40)}
    assert starts == {0, 1, 2}


def test_random_numbers_follow_their_key():
    first, again, other = (image_list.generator(*key).random() for key in ((1, -2), (1, -2), (1, 2)))
    assert first == again != other
