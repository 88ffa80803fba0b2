import pytest

from deeplab_caffe.assets import asset

MODEL = asset("prototxt/camvid_largefov/deploy.prototxt")
WEIGHTS = asset("weights/camvid_largefov.caffemodel")


def test_json(succeeds):
    cost = succeeds("inspect", "-m", MODEL, "--size", "33x41", "--json", "-w", WEIGHTS)
    assert cost["outputs"] == {"fc8_interp": [1, 11, 33, 41]} and cost["parameters"] == 1_566_563
    assert len(cost["weights"]["loaded"]) == 16 and not cost["weights"]["unused"]


def test_table(succeeds):
    text = succeeds("inspect", "-m", MODEL)
    for word in ("fc8_interp", "1,566,563 parameters", "multiply-adds"):
        assert word in text


@pytest.mark.slow
def test_a_net_that_no_machine_holds_is_only_looked_at(tmp_path, succeeds, fails):
    net = tmp_path / "huge.prototxt"
    net.write_text(MODEL.read_text().replace("input_dim: 361", "input_dim: 200001").replace("481", "200001"))
    assert succeeds("inspect", "-m", net, "--json")["blob_memory"] > 2**42
    assert "available" in fails("forward", "-m", net, "-w", WEIGHTS, "--dump", tmp_path / "dump")


def test_page_and_drawing(tmp_path, succeeds, fails):
    page, drawing = tmp_path / "new" / "net.html", tmp_path / "net.svg"
    assert succeeds("inspect", "-m", MODEL, "--html", page, "--svg", drawing, "--unfold") == ""
    assert "conv1_1" in page.read_text() and ">conv1_1</text>" in drawing.read_text()
    assert "--image" in fails("inspect", "-m", MODEL, "--svg", drawing, "--image", MODEL)
    assert "--unfold" in fails("inspect", "-m", MODEL, "--unfold")
    before = page.read_bytes()
    assert "deploy.prototxt" in fails("inspect", "-m", MODEL, "--html", page, "--image", MODEL)
    assert page.read_bytes() == before and len(list(page.parent.iterdir())) == 1
    assert "new" in fails("inspect", "-m", MODEL, "--html", page.parent)


def test_errors(tmp_path, fails):
    assert "--size 5" in fails("inspect", "-m", MODEL, "--size", "5")
    assert "none.prototxt" in fails("inspect", "-m", tmp_path / "none.prototxt")
    assert "none.caffemodel" in fails("inspect", "-m", MODEL, "-w", tmp_path / "none.caffemodel")
    typo = tmp_path / "typo.prototxt"
    typo.write_text(MODEL.read_text().replace("num_output: 32", "num_outputs: 32", 1))
    assert "num_outputs" in fails("inspect", "-m", typo)


def test_without_data(tmp_path, succeeds, fails):
    net = tmp_path / "train_val.prototxt"
    net.write_text(
        'layer { name: "d" type: "Data" top: "data" top: "label" data_param { source: "x" batch_size: 1 '
        "backend: LMDB } transform_param { crop_size: 20 } include { not_stage: 'deploy' } }\n"
        'layer { name: "i" type: "Input" top: "data" include { stage: "deploy" } '
        "input_param { shape { dim: 7 dim: 3 dim: 4 dim: 4 } } }\n"
        'layer { name: "c" type: "InnerProduct" bottom: "data" top: "c" '
        "inner_product_param { num_output: 2 } }\n"
    )
    cost = succeeds("inspect", "-m", net, "--json")
    assert cost["layers"][0]["tops"] == {"data": [1, 3, 20, 20], "label": [1]}
    assert cost["parameters"] == 2402 and cost["dialect"] == "v2"
    assert succeeds("inspect", "-m", net, "--json", "--size", "2x2")["parameters"] == 26
    assert succeeds("inspect", "-m", net, "--json", "--shape", "data=1x1x2x2")["parameters"] == 10
    assert succeeds("inspect", "-m", net, "--json", "--stage", "deploy")["outputs"] == {"c": [7, 2]}
    assert "--shape dat:" in fails("inspect", "-m", net, "--shape", "dat=1x2")


def test_variables_that_only_name_files(tmp_path, succeeds, fails):
    net = tmp_path / "test.prototxt"
    net.write_text(
        'name: "${NET_ID}"\nlayer { name: "d" type: "ImageSegData" top: "data" top: "label" image_data_param '
        '{ root_folder: "${DATA_ROOT}" source: "${EXP}/${TEST_SET}.txt" batch_size: 1 } '
        "transform_param { crop_size: 20 } }\n"
        'layer { name: "c" type: "Convolution" bottom: "data" top: "c" '
        "convolution_param { num_output: ${NUM_LABELS} kernel_size: 1 } }\n"
    )
    assert "without a value: NUM_LABELS (line 3); " in fails("inspect", "-m", net)
    cost = succeeds("inspect", "-m", net, "--json", "--set", "NUM_LABELS=21")
    assert cost["layers"][1]["tops"] == {"c": [1, 21, 20, 20]}


def test_dialect(tmp_path, succeeds, fails):
    net = tmp_path / "net.prototxt"
    net.write_text(
        'input: "a" input_dim: 2 input_dim: 3 input_dim: 4 input_dim: 4\n'
        'layers { name: "m" type: ARGMAX bottom: "a" top: "m" }\n'
    )
    assert "dialect v1 (V1 text without a sign" in succeeds("inspect", "-m", net)
    assert succeeds("inspect", "-m", net, "--dialect", "v2", "--json")["outputs"] == {"m": [2, 1, 1, 1]}
    assert "v1 (DeepLab v1) or v2" in fails("inspect", "-m", net, "--dialect", "v7")
