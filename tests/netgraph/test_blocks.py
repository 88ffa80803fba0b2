import networkx
import pytest

from deeplab_caffe.netgraph.blocks import Block, Fold, Leaf, Line, build, folds, leaves
from deeplab_caffe.netgraph.stacks import Stack


def blocks(edges, keys=None, kinds=None):
    """The tree of a graph of "ab bc" edges; stacks are named by letters and repeat where `keys` are equal."""
    names = sorted({name for edge in edges.split() for name in edge})
    stacks = [
        Stack(name, (kinds or {}).get(name, "weights"), "", "", [0, 0], key=((keys or {}).get(name, name),))
        for name in names
    ]
    graph = networkx.DiGraph([(names.index(a), names.index(b)) for a, b in edges.split()])
    root = build(stacks, graph)
    assert sorted(leaves(root)) == list(range(len(names)))  # each once
    return show(root, names), root


def show(item, names):
    """a>b: one below the other; (a|b): side by side; -: a line; <a>: folded."""
    if isinstance(item, Leaf):
        return names[item.stack]
    if isinstance(item, Line):
        return "-"
    if isinstance(item, Fold):
        return f"<{show(item.block, names)}>"
    rows = ["|".join(show(child, names) for child in row) for row in item.rows]
    return ">".join(f"({row})" if "|" in row and len(item.rows) == 1 else row for row in rows)


@pytest.mark.parametrize(
    "edges, tree",
    [
        ("ab bc", "a>b>c"),
        ("ab bc ac", "a>(b|-)>c"),
        ("ab ac bd cd", "a>(b|c)>d"),
        ("ab bc cd ae ed", "a>(b>c|e)>d"),
        ("ab bc cd de bd ae", "a>(b>(c|-)>d|-)>e"),
        ("ac bc", "(a|b)>c"),
        ("ab cd", "(a>b|c>d)"),
    ],
)
def test_columns_and_rows(edges, tree):
    assert blocks(edges)[0] == tree


def test_a_tangle_is_drawn_in_rows_with_lines_past_them():
    tree, root = blocks("ac ad bd ce de")
    assert tree == "a|b>c|d>e"
    assert root.links == [[(0, 0), (0, 1), (1, 1)], [(0, 0), (1, 0)]]
    tree, root = blocks("ab bc ad cd be de ce")  # e reads b, c and d; d reads a and c
    assert sorted(leaves(root)) == [0, 1, 2, 3, 4]
    for above, below, links in zip(root.rows[:-1], root.rows[1:], root.links, strict=True):
        assert {i for i, _ in links} <= set(range(len(above)))
        assert {j for _, j in links} == set(range(len(below)))  # nothing hangs in the air


def test_what_repeats_is_folded():
    chain = "ab bc cd de ef fg gh hi ij"
    tree, root = blocks(chain, dict(zip("abcdefghij", "xpqrpqrpqy", strict=True)))
    assert tree == "a><<b>c>d>><e>f>g>>>h>i>j" and len(list(folds(root))) == 3
    run = next(folds(root))
    assert (run.name, run.times, run.caption) == ("b … e", 2, "12 layers")


def test_few_stacks_are_not_folded():
    assert blocks("ab bc cd", {"a": "x", "b": "y", "c": "x", "d": "y"})[0] == "a>b>c>d"


def test_what_joins_ends_the_block_that_repeats():
    residual = "ab bc ac cd de ce ef fg eg"  # c, e and g join what goes through and past b, d and f
    keys = dict(zip("abcdefg", "xyzyzyz", strict=True))
    kinds = dict.fromkeys("ceg", "join")
    tree, _ = blocks(residual, keys, kinds)
    assert tree == "a>(b|-)>c>(d|-)>e>(f|-)>g"  # two stacks each: too few
    longer = "ab bh hc ac cd di ie ce ef fj jg eg"
    keys |= dict.fromkeys("hij", "w")
    tree, root = blocks(longer, keys, kinds)
    assert tree == "a><<(b>h|-)>c>><(d>i|-)>e>><(f>j|-)>g>>"
    assert [fold.times for fold in folds(root)] == [3, 1, 1, 1]


def test_what_nobody_could_follow_is_drawn_without_connections():
    half = 400
    edges = [(i, i + 1) for i in range(2 * half)] + [(i, 2 * half - i) for i in range(1, half - 50)]
    edges += [(i, i + 3) for i in range(0, 2 * half - 3, 2)]
    stacks = [Stack(str(i), "weights", "", "", [i]) for i in range(2 * half + 1)]
    root = build(stacks, networkx.DiGraph(edges))
    assert sorted(leaves(root)) == list(range(2 * half + 1))
    assert not any(isinstance(item, Line) for row in root.rows for item in row) and not any(root.links)


def test_a_net_without_layers():
    assert build([], networkx.DiGraph()) == Block([[Line()]])


def test_a_long_chain_takes_no_time():
    stacks = [Stack(str(i), "weights", "", "", [i], key=(i % 7,)) for i in range(7000)]
    root = build(stacks, networkx.path_graph(7000, networkx.DiGraph))
    assert isinstance(root, Block) and next(folds(root)).times == 1000
