from deeplab_caffe.bench import measure


def test_candidates_take_turns():
    calls = []
    seconds = measure.interleave({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 3)
    assert "".join(calls) == "ab" + "ababab"
    assert [len(times) for times in seconds.values()] == [3, 3]


def test_the_ratio_is_that_of_each_round():
    assert measure.median_ratio([1.0, 8.0, 3.0], [2.0, 2.0, 3.0]) == 1.0
