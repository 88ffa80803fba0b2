import pytest


@pytest.mark.parametrize("sigma", [1, 3])
@pytest.mark.parametrize("weights", [0, 1, 2])
def test_against_a_loop(run_in_net, rand, sigma, weights):
    bottoms = [rand(4, 5), rand(4, 5).roll(1, 1), rand(4, 5).abs(), rand(4, 5).abs().roll(2, 1)]
    (top,) = run_in_net(
        "SmoothL1Loss", *bottoms[: 2 + weights], rest=f"smooth_l1_loss_param {{ sigma: {sigma} }}"
    )
    total = 0.0
    for k in range(20):
        value, target, inside, outside = (bottom.flatten()[k].item() for bottom in bottoms)
        x = (value - target) * (inside if weights else 1)
        f = (sigma * x) ** 2 / 2 if abs(x) < 1 / sigma**2 else abs(x) - 0.5 / sigma**2
        total += f * (outside if weights > 1 else 1)
    assert top.item() == pytest.approx(total / 4, rel=1e-5)
