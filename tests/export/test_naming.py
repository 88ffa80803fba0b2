from deeplab_caffe.export.naming import common_part, templates, tidied


def test_common_part_is_the_longest():
    assert common_part(["res2a_branch1", "bn2a_branch1", "scale2a_branch1"]) == "2a_branch1"
    assert common_part(["abc", "xyz"]) == ""


def test_templates_have_a_hole_there():
    assert templates(["res2a", "bn2a"]) == (("res\0", "bn\0"), "2a")
    assert templates(["a", "b"]) is None


def test_words_that_all_parts_share_go_into_the_names():
    holes, parts = tidied(("\0a", "\0b"), ["x_1_branch2", "x_2_branch2"])
    assert (holes, parts) == (("x_\0_branch2a", "x_\0_branch2b"), ["1", "2"])


def test_words_are_not_cut():
    assert tidied(("\0",), ["entry_a", "exit_a"]) == (("\0_a",), ["entry", "exit"])
    assert tidied(("\0",), ["2a", "2b"]) == (("\0",), ["2a", "2b"])
