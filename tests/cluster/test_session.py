"""Which cluster a bare --ray means."""

import socket
from types import SimpleNamespace

import pytest

from deeplab_caffe.cluster import session


@pytest.fixture
def started(monkeypatch):
    """A module ray that only keeps what it is asked to connect to."""
    addresses = []
    ray = SimpleNamespace(init=lambda address, **options: addresses.append(address))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    return lambda address: (session._connect(ray, address), addresses)[1]


def test_a_killed_cluster_is_not_waited_for(started, tmp_path, monkeypatch):
    monkeypatch.setattr(session, "_LAST_STARTED", tmp_path / "address")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    (tmp_path / "address").write_text(f"127.0.0.1:{port}")
    assert started("auto") == ["local"]


def test_a_cluster_that_answers_is_taken(started, tmp_path, monkeypatch):
    monkeypatch.setattr(session, "_LAST_STARTED", tmp_path / "address")
    with socket.create_server(("127.0.0.1", 0)) as server:
        (tmp_path / "address").write_text(f"127.0.0.1:{server.getsockname()[1]}")
        assert started("auto") == ["auto"]
    (tmp_path / "address").unlink()
    assert started("auto")[-1] == "auto"  # Ray says itself that there is none


def test_nobody_at_an_address(started):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(OSError):
            started(f"127.0.0.1:{unused.getsockname()[1]}")
