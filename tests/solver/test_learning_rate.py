import pytest

from deeplab_caffe.formats import caffe_pb2
from deeplab_caffe.solver.learning_rate import LearningRate


def rates(iterations, **fields):
    rate = LearningRate(caffe_pb2.SolverParameter(base_lr=0.1, max_iter=100, **fields))
    return [rate.at(iteration) for iteration in iterations]


@pytest.mark.parametrize(
    ("fields", "formula"),
    [
        ({"lr_policy": "fixed"}, lambda i: 0.1),
        ({"lr_policy": "step", "gamma": 0.5, "stepsize": 10}, lambda i: 0.1 * 0.5 ** (i // 10)),
        ({"lr_policy": "exp", "gamma": 0.99}, lambda i: 0.1 * 0.99**i),
        ({"lr_policy": "inv", "gamma": 0.01, "power": 0.75}, lambda i: 0.1 * (1 + 0.01 * i) ** -0.75),
        ({"lr_policy": "poly", "power": 0.9}, lambda i: 0.1 * (1 - i / 100) ** 0.9),
        (
            {"lr_policy": "sigmoid", "gamma": -0.1, "stepsize": 50},
            lambda i: 0.1 / (1 + 2.718281828459045 ** (0.1 * (i - 50))),
        ),
    ],
    ids=lambda value: value["lr_policy"] if isinstance(value, dict) else "",
)
def test_policies(fields, formula):
    given = rates(range(101), **fields)
    assert given == pytest.approx([formula(i) for i in range(101)], rel=1e-5, abs=1e-9)


def test_multistep_takes_one_step_an_iteration():
    values = rates(range(8), lr_policy="multistep", gamma=0.1, stepvalue=[2, 2, 5])
    assert values == pytest.approx([0.1, 0.1, 1e-2, 1e-3, 1e-3, 1e-4, 1e-4, 1e-4])


def test_multistep_goes_on_where_it_was():
    param = caffe_pb2.SolverParameter(base_lr=1, lr_policy="multistep", gamma=0.5, stepvalue=[2, 4])
    assert LearningRate(param, current_step=1).at(3) == 0.5
    # A file without the count catches up step by step, as Caffe's does.
    behind = LearningRate(param)
    assert [behind.at(i) for i in (6, 7, 8)] == [0.5, 0.25, 0.25]


def test_extremes_are_numbers():
    assert rates([0, 10**6], lr_policy="sigmoid", gamma=5, stepsize=1000)[0] == 0
    assert rates([10**6], lr_policy="exp", gamma=2)[0] == float("inf")
    assert rates([100, 120], lr_policy="poly", power=0.9) == [0, 0]
