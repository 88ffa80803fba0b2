import ast
import subprocess
import sys

from deeplab_caffe.assets import asset
from deeplab_caffe.engine.net import Net
from deeplab_caffe.export.prepared import prepare

LARGEFOV = "prototxt/deeplab_v1/largefov/deploy.prototxt"


def test_the_source_imports_torch_alone_and_is_short():
    source = prepare(Net(asset(LARGEFOV))).source
    imported = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module)
    assert imported == {"torch", "torch.nn.functional"}
    assert source.count("\n") <= 70 and max(map(len, source.splitlines())) <= 100
    assert "        x = F.dropout(F.relu(self.fc6(x)), 0.5, self.training)\n" in source


def test_helpers_come_only_where_they_are_used(net_of):
    plain = prepare(net_of('layer { name: "r" type: "ReLU" bottom: "data" top: "y" }')).source
    assert plain.count("\ndef ") == 1 and plain.count("\nclass ") == 1
    scaled = prepare(net_of('layer { name: "s" type: "Scale" bottom: "data" top: "y" }')).source
    assert "behind" in scaled  # without a bias it is not the plain one
    text = 'layer { name: "s" type: "Scale" bottom: "data" top: "y" scale_param { bias_term: true } }'
    assert "behind" not in prepare(net_of(text)).source


def test_names_that_python_or_the_source_has_already(agrees):
    text, bottom = "", "data"
    for name in ("global", "sum", "x", "F", "torch", "zoom"):
        text += f'layer {{ name: "{name}" type: "Convolution" bottom: "{bottom}" top: "{name}" '
        text += "convolution_param { num_output: 4 kernel_size: 1 } }"
        text += (
            f'layer {{ name: "+{name}" type: "Eltwise" bottom: "{bottom}" bottom: "{name}" top: "+{name}" }}'
        )
        bottom = f"+{name}"
    agrees(
        text + 'layer { name: "z" type: "Interp" bottom: "+zoom" top: "z" interp_param { zoom_factor: 2 } }'
    )


def test_several_outputs_are_a_tuple(agrees):
    text = "".join(f'layer {{ name: "{k}" type: "{k}" bottom: "data" top: "{k}" }}' for k in ("ReLU", "TanH"))
    assert "return" in agrees(text)


def test_the_source_is_formatted(every_layer, tmp_path):
    (tmp_path / "net.py").write_text(prepare(Net(every_layer)).source)
    done = subprocess.run([sys.executable, "-m", "compileall", "-q", tmp_path], check=False)
    assert done.returncode == 0
    for line in (tmp_path / "net.py").read_text().splitlines():
        assert line == line.rstrip() and "\t" not in line


def test_names_of_anything_are_harmless(net_of, module_of):
    odd = r"a\"\"\" raise SystemExit \"\"\" {0} {name}"
    text = f'layer {{ name: "{odd}" type: "Convolution" bottom: "data" top: "{odd}" '
    text += "convolution_param { num_output: 2 kernel_size: 1 } }"
    head = f'name: "{odd}"\n' + 'input: "data" input_shape { dim: 1 dim: 4 dim: 13 dim: 18 }\n'
    prepared = prepare(net_of(text, head))
    assert module_of(prepared) is not None
    assert prepared.source.splitlines()[0] == '"""a raise SystemExit {0} {name}'


def test_a_net_may_be_called_as_a_helper(net_of, module_of):
    text = 'layer { name: "s" type: "Scale" bottom: "data" top: "y" scale_param { bias_term: true } }'
    head = 'name: "scale"\ninput: "data" input_shape { dim: 1 dim: 4 dim: 13 dim: 18 }\n'
    assert type(module_of(prepare(net_of(text, head)))).__name__ == "ScaleNet"
