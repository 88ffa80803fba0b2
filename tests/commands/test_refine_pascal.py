import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from deeplab_caffe import crf
from deeplab_caffe.formats.bin import read_bin, write_bin

PIPELINE = Path(__file__).parents[3] / "shared/reference/pipeline"


FLAGS = "-i 10 -px 3 -py 3 -pw 3 -bx 50 -by 50 -br 10 -bg 10 -bb 10 -bw 5".split()


@pytest.mark.skipif(not PIPELINE.exists(), reason="needs the reference run")
@pytest.mark.parametrize(
    "features, expected", [("refine_pascal/features", "refine_pascal"), ("mat", "refine_pascal_v4")]
)
def test_refine_pascal_writes_the_original_bytes(features, expected, tmp_path, succeeds):
    folders = "-id", PIPELINE / "ppm", "-fd", PIPELINE / features, "-sd", tmp_path / "out"
    succeeds("refine-pascal", *folders, *FLAGS)
    for file in sorted((PIPELINE / expected / "expected").iterdir()):
        assert (tmp_path / "out" / file.name).read_bytes() == file.read_bytes(), file.name
    assert len(list((tmp_path / "out").iterdir())) == 3


def test_refine_pascal_defaults_and_failures(crf_case, fails, capsys):
    from deeplab_caffe.commands import main

    folder, image, unary = crf_case
    (folder / "ppm").mkdir()
    Image.fromarray(image).save(folder / "ppm/a.ppm")
    probabilities = torch.softmax(-torch.from_numpy(unary), 2).numpy()
    folders = [str(a) for a in ("-id", folder / "ppm", "-fd", folder, "-sd", folder / "out")]
    assert "neither a.bin or a_blob_0.mat for image a" in fails("refine-pascal", *folders)
    write_bin(folder / "a.bin", probabilities)
    assert main(["refine-pascal", *folders]) == 0
    energy = crf.energies_of(probabilities, "probabilities")
    model = crf.image_crf(image, 4).unary(energy).step(10)
    assert np.array_equal(read_bin(folder / "out/a.bin")[:, :, 0], model.map())
    (folder / "ppm/b.ppm").write_text("P6 broken")
    capsys.readouterr()
    assert main(["refine-pascal", *folders]) == 1
    assert "b.ppm" in capsys.readouterr().err
    assert "--bi-g-std 0: a number above 0" in fails("refine-pascal", *folders, "-bg", "0")
    shutil.copy(folder / "a.bin", folder / "a_blob_0.mat")
    (folder / "ppm/b.ppm").unlink()
    assert "both a.bin or" in fails("refine-pascal", *folders)
    assert "no .ppm images" in fails("refine-pascal", "-id", folder, "-fd", folder, "-sd", folder)
