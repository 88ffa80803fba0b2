import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread():
    """The tensors here are so small that torch's threads would only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
