import pytest
import torch

from tests.autograd.conftest import one_thread  # noqa: F401 a fixture


@pytest.fixture
def draw():
    """draw(2, 3, grad=True): random values of that shape, always the same."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape, grad=False, dtype=torch.float32):
        return torch.randn(*shape, generator=generator, dtype=dtype).requires_grad_(grad)

    return draw
