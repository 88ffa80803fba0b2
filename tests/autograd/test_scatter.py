import torch

from deeplab_caffe.autograd import scatter_last


def test_the_last_value_stays_and_all_have_their_places_gradient():
    values = torch.tensor([[[1.0, 2, 3, 4]]], requires_grad=True)
    places = torch.tensor([[[2, 0, 2, 4]]])
    top = scatter_last(values, places, 6)
    assert top.tolist() == [[[2, 0, 3, 0, 4, 0]]]
    (top * torch.arange(6.0)).sum().backward()
    assert values.grad.tolist() == [[[2, 0, 2, 4]]]
