import pytest

from deeplab_caffe.caffe_program.flags import Flag, FlagError, describe, parse

FLAGS = [Flag("solver", "", "a file"), Flag("iterations", 50, "how often"), Flag("gray", False, "no colour")]


@pytest.mark.parametrize(
    ("words", "solver", "iterations", "gray", "rest"),
    [
        ("train", "", 50, False, ["train"]),
        ("train --solver=s", "s", 50, False, ["train"]),
        ("--solver s train -iterations 3", "s", 3, False, ["train"]),
        ("-solver=a=b --solver=c", "c", 50, False, []),
        ("--gray x", "", 50, True, ["x"]),
        ("-gray --nogray", "", 50, False, []),
        ("--gray=yes", "", 50, True, []),
        ("--gray=F -iterations=-2", "", -2, False, []),
        ("a -- --gray --bogus", "", 50, False, ["a", "--gray", "--bogus"]),
        ("--solver= -", "", 50, False, ["-"]),
    ],
)
def test_parse(words, solver, iterations, gray, rest):
    flags, found = parse(FLAGS, words.split())
    given = flags.text("solver"), flags.number("iterations"), flags.yes("gray"), found
    assert given == (solver, iterations, gray, rest)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--bogus", "unknown command line flag 'bogus'"),
        ("--nosolver", "unknown command line flag 'nosolver'"),
        ("--solver", "flag '--solver' is missing its argument: a file"),
        ("--iterations=many", "illegal value 'many' specified for int32 flag 'iterations'"),
        ("--gray=maybe", "illegal value 'maybe' specified for bool flag 'gray'"),
    ],
)
def test_errors(words, message):
    with pytest.raises(FlagError, match=message):
        parse(FLAGS, words.split())


def test_describe():
    assert describe(FLAGS).splitlines() == [
        '    -solver (a file) type: string default: ""',
        "    -iterations (how often) type: int32 default: 50",
        "    -gray (no colour) type: bool default: false",
    ]
