from xml.etree import ElementTree

from deeplab_caffe.engine.cost import analyse
from deeplab_caffe.formats.prototxt import read_net
from deeplab_caffe.netgraph.svg import write_svg

NET = """name: "<b>&net" input: "data" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8
layer { name: "<i>one</i>" type: "Convolution" bottom: "data" top: "one"
  convolution_param { num_output: 2 kernel_size: 3 pad: 1 } }
layer { name: "two" type: "Power" bottom: "one" top: "two" }
"""


def test_svg_is_xml_that_escapes_names(tmp_path):
    (tmp_path / "net.prototxt").write_text(NET)
    definition = read_net(tmp_path / "net.prototxt")
    write_svg(tmp_path / "net.svg", definition, analyse(definition))
    root = ElementTree.parse(tmp_path / "net.svg").getroot()
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[:2] == ["data", "input"] and "<i>one</i>" in texts and "Convolution 3×3" in texts
    assert root.find("{http://www.w3.org/2000/svg}title").text == "<b>&net"
    _, _, width, height = map(float, root.get("viewBox").split())
    assert 100 < width < 300 and 150 < height < 400
