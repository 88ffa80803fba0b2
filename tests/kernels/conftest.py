import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread():
    """The tensors here are so small that torch's threads would only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def draw():
    """draw(2, 3, grad=True): random values of that shape, always the same."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape, grad=False, dtype=torch.float32):
        return torch.randn(*shape, generator=generator, dtype=dtype).requires_grad_(grad)

    return draw
