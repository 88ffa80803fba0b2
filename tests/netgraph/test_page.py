import json
import re

import pytest

from deeplab_caffe.assets import asset, demo_photos
from deeplab_caffe.engine.cost import analyse
from deeplab_caffe.errors import DeepLabError
from deeplab_caffe.formats.prototxt import read_net
from deeplab_caffe.netgraph import layout
from deeplab_caffe.netgraph.blocks import build, folds
from deeplab_caffe.netgraph.cards import cards_of
from deeplab_caffe.netgraph.page import Mark, make_graph, script_json, write_html
from deeplab_caffe.netgraph.stacks import stack_layers

RESNET = asset("prototxt/deeplab_v2/resnet101_aspp_msc/deploy.prototxt")
EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
HOSTILE = f"""name: "{EVIL}" input: "data" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8
layer {{ name: "{EVIL}" type: "Convolution" bottom: "data" top: "{EVIL}"
  convolution_param {{ num_output: 2 kernel_size: 3 pad: 1 }} }}
layer {{ name: "two" type: "Power" bottom: "{EVIL}" top: "two" }}
"""


@pytest.fixture(scope="module")
def resnet(tmp_path_factory):
    definition = read_net(RESNET, {"NUM_LABELS": 21, "EXP": "voc12"})
    cost = analyse(definition)
    path = tmp_path_factory.mktemp("page") / "net.html"
    write_html(path, definition, cost, demo_photos()[0])
    return path, definition, cost


def embedded(path):
    return json.loads(re.search(r'id="net-data">(.*?)</script>', path.read_text())[1])


@pytest.mark.slow
def test_one_file_holds_every_layer(resnet):
    path, definition, cost = resnet
    data = embedded(path)
    names = ["data", *(layer.name for layer in definition.layers)]
    assert [layer["name"] for layer in data["layers"]] == names
    assert sorted(i for stack in data["stacks"] for i in stack["layers"]) == list(range(len(names)))
    assert sum(layer["cost"]["all"] for layer in data["layers"][1:]) == cost.multiply_adds
    assert data["photo"]["input"] == [513, 513] and data["photo"]["size"] == [360, 480]
    assert not re.search(r"""(src|href)=["']?(?!data:)\w+:""", path.read_text())
    assert path.stat().st_size < 1_200_000


@pytest.mark.slow
def test_names_from_files_are_text(tmp_path, look):
    (tmp_path / "net.prototxt").write_text(HOSTILE)
    definition = read_net(tmp_path / "net.prototxt")
    write_html(tmp_path / "net.html", definition, analyse(definition))
    assert (
        "<img" not in (tmp_path / "net.html").read_text() and EVIL not in (tmp_path / "net.html").read_text()
    )
    page = look(tmp_path / "net.html")
    page.on("dialog", lambda dialog: pytest.fail("a script of the file ran"))
    assert page.inner_text("h1") == EVIL
    page.fill("#search", "onerror")
    page.press("#search", "Enter")
    assert page.inner_text("#panel h2") == EVIL and page.locator("img").count() == 0


def test_script_json():
    text = script_json({"a": "</script>&\u2028"})
    assert json.loads(text) == {"a": "</script>&\u2028"} and not set("<>&\u2028") & set(text)


def test_a_photo_that_is_none(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"none")
    definition = read_net(asset("prototxt/camvid_largefov/deploy.prototxt"))
    with pytest.raises(DeepLabError, match="photo.jpg"):
        write_html(tmp_path / "net.html", definition, analyse(definition), tmp_path / "photo.jpg")
    assert not (tmp_path / "net.html").exists()


@pytest.mark.slow
def test_marks_colour_boxes_and_the_blocks_that_hold_them(resnet):
    _, definition, cost = resnet
    cards = cards_of(definition, cost)
    index = next(i for i, card in enumerate(cards) if card.name == "bn4b7_branch2b")
    marks = {i: Mark("equal", "equal") for i in range(len(cards))}
    marks[index] = Mark("first", "3 ulp", 4, [("largest", "3 ulp")], "#blob-7")
    data = json.loads(make_graph(cards, marks).json)
    marked = [stack for stack in data["stacks"] if stack.get("mark") == "first"]
    assert [stack["lines"][0] for stack in marked] == ["res4b7_branch2b"] and marked[0]["lines"][
        -1
    ] == "3 ulp"
    assert data["layers"][index]["rows"] == [["largest", "3 ulp"]]
    assert data["layers"][index]["link"] == "#blob-7"
    text = json.dumps(data["tree"])
    assert text.count('"mark": "first"') == 2  # the run of 22 and its seventh block
    assert "286 layers, 3 ulp" in text


# In the browser.


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1400])
def test_search_and_clicks(resnet, look, width, scheme):
    page = look(resnet[0], width, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    before = page.locator(".box").count()
    page.fill("#search", "bn4b7_branch2b_res05")
    page.press("#search", "Enter")
    panel = page.locator("#panel")
    assert "bn4b7_branch2b_res05" in panel.inner_text() and "BatchNorm" in panel.inner_text()
    chosen = page.locator(".box.chosen").bounding_box()
    view = page.locator("#view").bounding_box()
    assert view["x"] <= chosen["x"] and chosen["x"] + chosen["width"] <= view["x"] + view["width"]
    assert view["y"] <= chosen["y"] and chosen["y"] + chosen["height"] <= view["y"] + view["height"]
    page.locator(".box.chosen + .box").click()
    assert panel.locator("h2").first.inner_text() == "res4b7_branch2c_res05"
    assert panel.locator("pre").first.inner_text().startswith('layer {\n  name: "res4b7_branch2c_res05"')
    assert "receptive field" in panel.inner_text() and panel.locator("svg.photo").count()
    panel.locator("dd button").first.click()  # its bottom
    assert panel.locator("h2").first.inner_text() == "res4b7_branch2b_res05"
    page.click("#fold")
    page.wait_for_timeout(50)
    assert page.locator(".box").count() == before


@pytest.mark.slow
def test_a_click_unfolds_and_stays_where_it_is(resnet, look):
    page = look(resnet[0])
    page.fill("#search", "res3a_res075")
    page.press("#search", "Enter")
    page.wait_for_timeout(50)
    run = page.locator(".box.chosen + .box", has_text="3 × res3b1")
    before = run.bounding_box()
    run.click()
    frame = page.locator(".box.frame", has_text="3 × res3b1")
    after = frame.bounding_box()
    assert abs(after["x"] + after["width"] / 2 - before["x"] - before["width"] / 2) < 4
    assert abs(after["y"] - before["y"]) < 4
    page.get_by_role("button", name="res3b1 13 layers", exact=True).click()
    assert page.locator(".box", has_text="res3b1_branch2a_res075").count() == 1
    assert page.locator(".box.frame").count() == 2
    frame.locator(".title").click()
    assert page.locator(".box.frame").count() == 0


@pytest.mark.slow
def test_dragging_moves_and_chooses_nothing(resnet, look):
    page = look(resnet[0])
    box = page.locator(".box", has_text="conv1_res075")
    before = box.bounding_box()
    page.mouse.move(before["x"] + 20, before["y"] + 20)
    page.mouse.down()
    page.mouse.move(before["x"] + 60, before["y"] + 70, steps=4)
    page.mouse.up()
    page.wait_for_timeout(50)
    after = box.bounding_box()
    assert (round(after["x"] - before["x"]), round(after["y"] - before["y"])) == (40, 50)
    assert not page.locator(".chosen").count()
    page.mouse.wheel(0, -200)
    page.wait_for_timeout(50)
    assert box.bounding_box()["width"] > 1.3 * before["width"]


@pytest.mark.slow
def test_keys(resnet, look):
    page = look(resnet[0])
    page.keyboard.press("/")
    page.keyboard.type("res4b1")
    assert page.locator("#hits button").count() == 40 and "and 3" in page.inner_text("#hits p")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    chosen = page.inner_text("#panel h2 >> nth=0")
    assert chosen.startswith("res4b1") and not page.locator("#hits button").count()
    page.fill("#search", "res4b1_branch2a")
    page.press("#search", "Enter")
    page.wait_for_timeout(50)
    page.locator(".box.chosen").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.inner_text("#panel h2 >> nth=0") == "res4b1_branch2b"
    page.keyboard.press("0")
    page.wait_for_timeout(50)
    view, picture = page.locator("#view").bounding_box(), page.locator("#picture").bounding_box()
    assert view["y"] <= picture["y"] + 1 and picture["height"] <= view["height"] + 1


@pytest.mark.slow
def test_fingers(resnet, look):
    page = look(resnet[0], 400)
    fingers = page.context.new_cdp_session(page)

    def touch(kind, *points):
        where = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": where})

    page.locator("#fit").click()
    page.wait_for_timeout(50)
    before = page.locator("#picture").bounding_box()
    touch("touchStart", (150, 500), (250, 500))
    for step in range(1, 6):
        touch("touchMove", (150 - 10 * step, 500), (250 + 10 * step, 500))
    touch("touchEnd")
    page.wait_for_timeout(50)
    after = page.locator("#picture").bounding_box()
    assert after["width"] == pytest.approx(2 * before["width"], rel=0.02)
    assert not page.locator(".chosen").count()


@pytest.mark.slow
@pytest.mark.parametrize("unfold", [False, True])
def test_the_browser_places_boxes_as_python_does(resnet, look, unfold):
    path, definition, cost = resnet
    stacks, edges = stack_layers(cards_of(definition, cost))
    root = build(stacks, edges)
    for fold in folds(root):
        fold.opened = unfold
    drawing = layout.place(root, [layout.stack_size(layout.lines_of(stack)) for stack in stacks])
    page = look(path)
    page.click("#unfold" if unfold else "#fold")
    page.wait_for_timeout(50)
    placed, way = page.evaluate(
        """() => {
            dispatchEvent(new Event("beforeprint"));  // everything is in the document
            const numbers = (text) => text.match(/-?[\\d.]+/g).map(Number);
            const boxes = [...document.querySelectorAll(".box")];
            return [boxes.map((box) => numbers(box.getAttribute("transform"))),
                    numbers(document.querySelector(".edges").getAttribute("d"))];
        }"""
    )
    assert placed == [pytest.approx([box.x, box.y], abs=0.01) for box in drawing.boxes]
    ways = [float(number) for number in re.findall(r"-?[\d.]+", drawing.path)]
    assert sorted(way) == pytest.approx(sorted(ways), abs=0.01)
