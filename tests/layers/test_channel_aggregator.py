import pytest
import torch

from deeplab_caffe.errors import DeepLabError
from tests.layers.layer_text import layer_v1


@pytest.fixture
def aggregator(tmp_path, run_layer):
    def make(text):
        path = tmp_path / "labels.txt"
        path.write_text(text)
        fields = f'channel_aggregator_param {{ label_map_file: "{path}" }}'
        return run_layer(layer_v1("CHANNEL_AGGREGATOR", fields))

    return make


def test_channel_aggregator(aggregator, rand):
    x = 100 * rand(2, 4, 3, 5)
    run = aggregator("2\n0 3 1\n1 1\n")
    (top,) = run(x)
    assert torch.equal(top[:, 0], x[:, 2])
    torch.testing.assert_close(top[:, 1], x[:, [0, 1, 3]].logsumexp(1))
    torch.testing.assert_close(top[:, 2], x[:, 1] + torch.tensor(2.0).log())
    x.requires_grad_()
    run.layer.forward_train([x])[0][:, 1].sum().backward()
    probabilities = x.detach()[:, [0, 1, 3]].softmax(1)
    torch.testing.assert_close(x.grad[:, [0, 1, 3]], probabilities)
    assert not x.grad[:, 2].any()


@pytest.mark.parametrize("text", ["", "0\n\n1\n", "0 x\n", "0 1.5\n"])
def test_channel_aggregator_with_a_broken_file(aggregator, text):
    with pytest.raises(DeepLabError, match=r"\(ChannelAggregator\): label_map_file: .*labels.txt"):
        aggregator(text)


def test_channel_aggregator_errors(aggregator, run_layer, rand):
    for text in ("0 4\n", "-1\n"):
        with pytest.raises(DeepLabError, match="found, 0 to 3 wanted"):
            aggregator(text)(rand(1, 4, 2, 2))
    with pytest.raises(DeepLabError, match="label_map_file: missing"):
        run_layer(layer_v1("CHANNEL_AGGREGATOR"))
