from deeplab_caffe.commands import main


def test_words_reach_the_program_as_they_are(capsys):
    assert main(["caffe", "-h"]) == 1 and "flag 'h'" in capsys.readouterr().err
    assert main(["caffe", "convert_imageset", "-gray", "--help"]) == 1
    assert "ROOT_FOLDER/ LIST NEW_DB" in capsys.readouterr().out
    assert main(["caffe"]) == 0 and "sighup_effect" in capsys.readouterr().out
    assert main(["caffe", "--bogus", "train"]) == 1
    assert capsys.readouterr().err == "ERROR: unknown command line flag 'bogus'\n"


def test_it_is_in_the_list(capsys):
    assert main(["--help"]) == 0
    assert "caffe " in capsys.readouterr().out
