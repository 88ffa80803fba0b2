import numpy as np

from deeplab_caffe.commands import main


def run(capsys, *arguments):
    code = main([str(a) for a in arguments])
    return code, capsys.readouterr().out


def test_nets(net, tmp_path, succeeds, capsys):
    assert "the same: 1 layers" in succeeds("diff", net, net)
    other = tmp_path / "other.prototxt"
    other.write_text(net.read_text().replace("MAX", "SUM"))
    code, out = run(capsys, "diff", net, other)
    assert code == 1 and "eltwise_param.operation" in out and "different: 1 layers, of 1 and 1" in out
    code, out = run(capsys, "diff", net, other, "--json")
    assert code == 1 and '"kind": "nets"' in out
    other.write_text(net.read_text().replace("input_dim: 8 input_dim: 8", "input_dim: 8 input_dim: 9"))
    code, out = run(capsys, "diff", net, other)
    assert code == 1 and "1 more layers differ in nothing but shapes" in out and "1x3x8x9" in out


def test_nets_that_ship(capsys):
    code, out = run(capsys, "diff", "deeplab_v1/largefov", "deeplab_v1/msc_largefov")
    assert code == 1 and "fc_fusion" in out and "only in the second" in out


def test_weights(tmp_path, succeeds, capsys):
    for name, value in (("a", 1), ("b", 2)):
        np.savez(tmp_path / f"{name}.npz", x=np.full(3, value, np.float32), same=np.ones(2))
    assert "the same: 2 of 2 blobs" in succeeds("diff", tmp_path / "a.npz", tmp_path / "a.npz")
    code, out = run(capsys, "diff", tmp_path / "a.npz", tmp_path / "b.npz")
    assert code == 1 and "3 of 3" in out and "different: 1 of 2 blobs have the same bits (5 values" in out


def test_errors(net, tmp_path, fails):
    np.savez(tmp_path / "a.npz", x=np.ones(2))
    assert "two of a kind wanted" in fails("diff", net, tmp_path / "a.npz")
    assert "no such file" in fails("diff", net, tmp_path / "nowhere")
