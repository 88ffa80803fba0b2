import pytest
import torch


@pytest.mark.parametrize("across", [True, False])
@pytest.mark.parametrize("shared", [True, False])
def test_against_loops(run_in_net, rand, across, shared):
    x = rand(2, 3, 4, 5)
    fields = (
        f"norm_param {{ across_spatial: {str(across).lower()} channel_shared: {str(shared).lower()} "
        "scale_filler { value: 20 } }"
    )
    (top,) = run_in_net("Normalize", x, rest=fields)
    for n, c, i, j in torch.cartesian_prod(*map(torch.arange, x.shape)).tolist():
        values = x[n].double() if across else x[n, :, i, j].double()
        norm = (values.square().sum() + 1e-10).sqrt()
        assert top[n, c, i, j].item() == pytest.approx(20 * x[n, c, i, j].item() / norm.item(), rel=1e-5)


def test_scales(run_layer):
    text = 'layer { name: "n" type: "Normalize" bottom: "a" top: "b" norm_param { channel_shared: false } }'
    layer = run_layer(text).layer
    assert layer.blob_shapes([(1, 7, 2, 2)]) == [(7,)] and layer.fillers() == [1.0]
