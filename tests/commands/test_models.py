from pathlib import Path


def test_table_and_json(succeeds):
    table = succeeds("models")
    assert "deeplab_v1/largefov" in table and "20,505,429" in table and "train2_iter_8000.caffemodel" in table
    assert "--set NUM_LABELS=21 --set EXP=voc12 unless given" in table
    assert (
        "(convert --backbone xception_65 --decoder 4)" in table
        and "ships: --weights camvid_largefov" in table
    )
    nets = {net["name"]: net for net in succeeds("models", "--json")}
    net = nets["deeplab_v2/resnet101_aspp_msc"]
    assert net["input"] == [513, 513] and net["set"] == {"NUM_LABELS": "21", "EXP": "voc12"}
    assert Path(net["path"]).is_file() and net["weights"][1]["file"] == "train2_iter_20000.caffemodel"


def test_names_work_in_every_verb(tmp_path, monkeypatch, succeeds, fails):
    monkeypatch.chdir(tmp_path)
    named = succeeds("inspect", "--model", "camvid_largefov", "--json")
    assert named["parameters"] == 1_566_563
    for verb in ("inspect", "forward", "test"):
        assert "nearest: camvid_largefov; see deeplab-caffe models" in fails(verb, "--model", "camvid")
    wrong = "eval", "--list", "list.txt", "--model", "camvid-largefov"
    assert "nearest: camvid_largefov" in fails(*wrong)
    assert "nearest: deeplab_v1/largefov" in fails("bench", "net", "--model", "deeplab_v1/largeFOV")
