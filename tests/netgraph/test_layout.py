import pytest

from deeplab_caffe.netgraph import layout
from deeplab_caffe.netgraph.blocks import Block, Fold, Leaf, Line
from deeplab_caffe.netgraph.stacks import Stack

SIZES = [(100, 40), (60, 40), (60, 80)]


def boxes(root):
    return [(box.x, box.y, box.width, box.height) for box in layout.place(root, SIZES).boxes]


def test_a_column_is_centred():
    root = Block([[Leaf(0)], [Leaf(1)]], [[(0, 0)]])
    drawing = layout.place(root, SIZES)
    pad, gap = layout.PAD, layout.GAP_Y
    assert boxes(root) == [(pad, pad, 100, 40), (pad + 20, pad + 40 + gap, 60, 40)]
    assert drawing.path == f"M{pad + 50} {pad + 40}V{pad + 40 + gap}"
    assert (drawing.width, drawing.height) == (100 + 2 * pad, 80 + gap + 2 * pad)


def test_a_row_fans_out_and_a_line_passes_by():
    row = Block([[Leaf(1), Leaf(2), Line()]])
    drawing = layout.place(Block([[Leaf(0)], [row], [Leaf(0)]], [[(0, 0)], [(0, 0)]]), SIZES)
    assert drawing.path.count("M") == 3 + 3 + 1 and drawing.path.count("C") >= 4
    (_, small, large, _) = drawing.boxes
    assert small.y + small.height / 2 == large.y + large.height / 2
    assert large.x == small.x + small.width + layout.GAP_X


def test_a_fold_is_a_box_or_a_frame():
    fold = Fold("a … b", 2, Block([[Leaf(0)], [Leaf(1)]], [[(0, 0)]]), "2 layers")
    closed = boxes(Block([[fold]]))
    assert [box[2:] for box in closed] == [layout.fold_size(fold)]
    fold.opened = True
    frame, first, second = boxes(Block([[fold]]))
    for x, y, width, height in (first, second):
        assert frame[0] <= x and x + width <= frame[0] + frame[2]
        assert frame[1] + layout.HEAD <= y and y + height <= frame[1] + frame[3] - layout.PAD


def test_no_box_covers_another():
    inner = Block([[Leaf(0), Leaf(1)], [Leaf(2)]], [[(0, 0), (1, 0)]])
    placed = boxes(Block([[Leaf(0)], [Block([[inner, Leaf(2)]])], [Leaf(1)]], [[(0, 0)], [(0, 0)]]))
    for i, (x, y, width, height) in enumerate(placed):
        for x2, y2, width2, height2 in placed[:i]:
            assert x + width <= x2 or x2 + width2 <= x or y + height <= y2 or y2 + height2 <= y


def test_words():
    assert layout.shorten("a" * 40 + "tail") == "…" + "a" * 25 + "tail"
    assert layout.fold_title(Fold("res4b1 … res4b22", 22, Block([]), "")) == "22 × res4b1 … res4b22"
    stack = Stack("conv1", "weights", "Convolution 3×3", "64×9×9", followers=["BatchNorm", "ReLU"])
    lines = layout.lines_of(stack, "3 ulp")
    assert lines == ["conv1", "Convolution 3×3", "64×9×9", "BatchNorm · ReLU", "3 ulp"]
    assert layout.stack_size(lines)[0] >= 16 * layout.SMALL


@pytest.mark.parametrize("lines", [["a"], ["x" * 30, "y" * 40]])
def test_boxes_hold_their_text(lines):
    width, height = layout.stack_size(lines)
    assert width >= 13 + layout.SMALL * max(map(len, lines)) and height >= layout.TEXT * len(lines)
