import torch

from deeplab_caffe.layers.parameters.parameter import Parameter


def test_a_parameter_is_made_when_first_needed():
    made = []
    parameter = Parameter((2, 3), lambda: made.append(1) or torch.ones(2, 3))
    parameter.data = torch.arange(6.0)
    assert not made
    assert parameter.values().shape == (2, 3)
    assert Parameter((4,)).data.tolist() == [0, 0, 0, 0]


def test_packing_happens_once_per_layout_and_drops_the_plain_copy():
    calls = []
    parameter = Parameter((2, 3), lambda: torch.arange(6.0).view(2, 3))

    def pack(x):
        calls.append(1)
        return x.t().contiguous()

    first = parameter.packed("transposed", pack, lambda x: x.t().contiguous())
    assert parameter.packed("transposed", pack) is first and len(calls) == 1
    assert parameter._plain is None
    assert parameter.values().tolist() == [[0, 1, 2], [3, 4, 5]]


def test_writing_forgets_packed_forms():
    parameter = Parameter((2,))
    parameter.packed("negative", torch.neg, torch.neg)
    parameter.data.fill_(3)
    assert parameter.packed("negative", torch.neg, torch.neg).tolist() == [-3, -3]
    parameter.data = torch.tensor([1.0, 2.0])
    assert parameter.packed("negative", torch.neg).tolist() == [-1, -2]
