import pytest

from deeplab_caffe.pycaffe.draw_layout import layout, ranks

# a reads nothing, b works in place on x, c reads x and y.
EDGES = [("a", "x"), ("a", "y"), ("x", "b"), ("b", "x"), ("x", "c"), ("y", "c"), ("c", "z")]
NODES = ["a", "x", "y", "b", "c", "z", "alone"]


def test_ranks():
    assert ranks(NODES, EDGES) == {"a": 0, "x": 1, "y": 1, "b": 2, "c": 2, "z": 3, "alone": 0}


@pytest.mark.parametrize(
    ("rankdir", "axis", "sign"), [("TB", 1, 1), ("BT", 1, -1), ("LR", 0, 1), ("RL", 0, -1)]
)
def test_layout(rankdir, axis, sign):
    places = layout({name: f"{name}\nlonger" for name in NODES}, EDGES, rankdir)
    assert places.keys() == set(NODES)
    for source, target in EDGES:
        if (source, target) != ("b", "x"):
            assert sign * (places[target][axis] - places[source][axis]) > 0
    boxes = list(places.values())
    for number, one in enumerate(boxes):
        assert one.x - one.width / 2 > -1e-9 and one.y - one.height / 2 > -1e-9
        for other in boxes[:number]:
            apart_x = abs(one.x - other.x) - (one.width + other.width) / 2
            apart_y = abs(one.y - other.y) - (one.height + other.height) / 2
            assert max(apart_x, apart_y) > 0.1


def test_layout_of_nothing():
    assert layout({}, [], "LR") == {}
