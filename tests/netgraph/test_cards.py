from google.protobuf import text_format

from deeplab_caffe.assets import asset
from deeplab_caffe.engine.cost import analyse
from deeplab_caffe.formats import caffe_pb2
from deeplab_caffe.formats.prototxt import read_net
from deeplab_caffe.netgraph.cards import cards_of, image_size

MODEL = asset("prototxt/deeplab_v1/largefov/deploy.prototxt")


def test_cards_tell_what_layers_do():
    definition = read_net(MODEL, {"NET_ID": "x", "NUM_LABELS": 21, "EXP": "voc12"})
    cards = cards_of(definition, analyse(definition, (33, 41)))
    by_name = {card.name: card for card in cards}
    assert by_name["fc6"].words == ["3×3", "rate 12"] and by_name["pool1"].words == ["3×3", "stride 2"]
    assert by_name["fc7"].words == [] and by_name["fc8_interp"].words == []
    assert by_name["relu1_1"].in_place and not by_name["conv1_1"].in_place
    assert by_name["conv1_1"].shapes == [(1, 64, 33, 41)] and by_name["conv1_1"].cost.parameters == 1792
    assert cards[0].name == "data" and cards[0].type == "input" and cards[0].shapes == ((1, 3, 33, 41),)
    assert image_size(cards) == (33, 41) and image_size(cards[1:]) is None


def test_the_text_is_a_layer_of_caffe():
    definition = read_net(MODEL, {"NET_ID": "x", "NUM_LABELS": 21, "EXP": "voc12"})
    for card in cards_of(definition, analyse(definition))[1:]:
        net = text_format.Parse(card.text, caffe_pb2.NetParameter())
        assert [net.layer[0].name, net.layer[0].type] == [card.name, card.type]
        assert list(net.layer[0].bottom) == list(card.bottoms) and list(net.layer[0].top) == list(card.tops)
