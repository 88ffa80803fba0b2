import subprocess
import sys

import pytest
import torch

from deeplab_caffe import Net
from deeplab_caffe.engine import memory

INPUT = 'input: "x" input_shape { dim: 1 dim: 4 dim: 8 dim: 8 }\n'
BYTES = 4 * 4 * 8 * 8


def layer(kind, name, bottoms, rest=""):
    ends = "".join(f' bottom: "{bottom}"' for bottom in bottoms.split())
    return f'layer {{ name: "{name}" type: "{kind}"{ends} top: "{name}" {rest} }}\n'


@pytest.fixture
def plan(tmp_path):
    def make(*layers, **options):
        (tmp_path / "net.prototxt").write_text(INPUT + "".join(layers))
        net = Net(tmp_path / "net.prototxt", **options)
        return net._plans.schedule(None, "forward").plan, net._graph.blobs

    return make


def test_a_layer_in_place_takes_the_memory_of_a_bottom_nobody_needs(plan):
    made, blobs = plan(layer("LRN", "a", "x"), layer("AbsVal", "b", "a"), layer("LRN", "c", "b"))
    assert made.root[blobs["b"]] is blobs["a"] and made.arena == BYTES
    assert made.given == {blobs["x"]} and made.fresh == {blobs["c"]} and made.total == 2 * BYTES


def test_a_blob_that_is_read_later_is_not_overwritten(plan):
    made, blobs = plan(
        layer("LRN", "a", "x"),
        layer("AbsVal", "b", "a"),
        layer("LRN", "c", "b"),
        layer("Eltwise", "e", "a c"),
    )
    assert made.root[blobs["b"]] is blobs["b"]


def test_copies_share_memory(plan):
    made, blobs = plan(
        layer("LRN", "a", "x"), layer("Split", "s", "a"), layer("LRN", "c", "s"), keep_blobs=True
    )
    assert made.root[blobs["s"]] is blobs["a"] and len(made.repeats) == 1


def test_what_is_appended_is_made_in_its_place(plan):
    made, blobs = plan(
        layer("LRN", "a", "x"), layer("LRN", "b", "x"), layer("Concat", "c", "a b"), layer("LRN", "d", "c")
    )
    assert made.inside == {blobs["a"]: (blobs["c"], 0), blobs["b"]: (blobs["c"], BYTES)}
    assert made.offsets[blobs["b"]] == made.offsets[blobs["c"]] + BYTES and made.arena == 2 * BYTES


def test_kept_blobs_have_memory_of_their_own(plan):
    made, blobs = plan(
        layer("LRN", "a", "x"), layer("AbsVal", "b", "a"), layer("LRN", "c", "b"), keep_blobs=True
    )
    assert made.root[blobs["b"]] is blobs["b"] and made.arena == 2 * BYTES


def test_packed_memory_never_overlaps_while_both_live():
    spans = {number: (number % 5, number % 5 + number % 3) for number in range(40)}
    size = {number: 128 * (1 + number * 7 % 11) for number in range(40)}
    made = memory.Plan(size=size | {"out": 3000, "early": 700}, fresh={"out", "early"})
    memory._pack(made, spans, {"out": 6, "early": 2})
    places = {value: ("arena", offset) for value, offset in made.offsets.items()} | made.lent
    ends = {"arena": made.arena, "out": 3000, "early": 700}
    assert places.keys() == spans.keys()
    for a in spans:
        where, first = places[a]
        assert first % memory.ALIGNMENT == 0 and first + size[a] <= ends[where]
        assert where == "arena" or spans[a][1] < {"out": 6, "early": 2}[where]
        for b in range(a):
            together = spans[a][0] <= spans[b][1] and spans[b][0] <= spans[a][1]
            apart = where != places[b][0] or first + size[a] <= places[b][1]
            assert apart or places[b][1] + size[b] <= first or not together
    assert {where for where, _ in places.values()} == ends.keys()


def test_an_output_lends_its_memory_until_it_is_made(plan):
    made, blobs = plan(layer("LRN", "a", "x"), layer("LRN", "b", "a"), layer("LRN", "c", "b"))
    # b is read while c is made, so only a can be in c's memory.
    assert made.lent == {blobs["a"]: (blobs["c"], 0)} and made.arena == BYTES
    made, blobs = plan(layer("LRN", "a", "x"), layer("LRN", "b", "a"), keep_blobs=True)
    assert not made.lent


def test_the_arena_grows_only():
    arena = memory.Arena("cpu")
    arena.grow(1000)
    values = arena.values
    arena.grow(500)
    assert arena.values is values and arena.size == 1000
    arena.grow(2000)
    assert arena.size == 2000 and arena.values.data_ptr() % memory.ALIGNMENT == 0


ALONE = """
import sys, torch
from deeplab_caffe import Net
from deeplab_caffe.bench.measure import own_peak_memory
before = own_peak_memory()
net = Net("deeplab_v1/largefov", sys.argv[1], threads=2, weight_memory=int(sys.argv[2]) or None)
net.forward(data=torch.zeros(1, 3, 513, 513))
print(own_peak_memory() - before)
"""


def test_largefov_takes_little_memory():
    """Its blobs at 513x513, of which the largest two have 67 MB each, and every weight once."""
    net = Net("deeplab_v1/largefov", threads=2)
    net.reshape(data=(1, 3, 513, 513))
    assert net.blob_memory < 44e6  # the scores that the caller gets are 22 of these
    small = Net("deeplab_v1/largefov", threads=2)
    small.forward(data=torch.zeros(1, 3, 33, 33))
    weights = [blobs[0] for name, blobs in small.params.items()]
    assert all(weight._plain is None and len(weight._packed) == 1 for weight in weights)


@pytest.mark.slow
@pytest.mark.parametrize("weight_memory, most", [(0, 160e6), (16 << 20, 100e6)], ids=["whole", "streamed"])
def test_the_process_takes_what_was_planned(tmp_path, weight_memory, most):
    """Beyond torch's own memory: weights (82 MB, or the 19 of the largest), blobs (42), what kernels need."""
    weights = tmp_path / "largefov.caffemodel"
    Net("deeplab_v1/largefov").save(weights)
    command = [sys.executable, "-c", ALONE, str(weights), str(weight_memory)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert 42e6 < int(done.stdout) < most
