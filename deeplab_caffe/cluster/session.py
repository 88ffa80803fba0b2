"""The connection to a Ray cluster."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import DeepLabError, reason_of

_PATIENCE = 10.0  # seconds
_LAST_STARTED = Path("/tmp/ray/ray_current_cluster")  # what Ray itself looks at


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """The module ray, connected; what was connected before stays so. Raises DeepLabError."""
    # Nothing is told to anybody unless the user wants it.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    if ray.is_initialized():
        yield ray
        return
    try:
        _connect(ray, address)
    except (RuntimeError, ValueError, OSError, OverflowError) as error:
        raise DeepLabError(f"--ray {address}: {reason_of(error)}") from None
    try:
        with _no_news(ray):
            yield ray
    finally:
        ray.shutdown()


@contextmanager
def _no_news(ray: Any) -> Iterator[None]:
    """Keeps pages of logs that Ray prints of lost machines from standard output, where results go."""
    module, name = ray._private.worker, "print_to_stdstream"  # no option does it
    printing = getattr(module, name, None)
    if printing is None:
        yield
        return
    setattr(module, name, lambda *arguments, **named: None)
    try:
        yield
    finally:
        setattr(module, name, printing)


def _connect(ray: Any, address: str) -> None:
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address == "auto":
        try:
            if known := _last_started():
                _probe(known)
            ray.init("auto", **quiet)
            return
        except OSError:  # none runs here
            address = "local"
    elif address != "local":
        _probe(address)
    if address == "local":
        quiet["include_dashboard"] = False
    ray.init(address, **quiet)


def _last_started() -> str | None:
    """Where the cluster last started on this machine was; a killed one leaves this behind."""
    if os.environ.get("RAY_ADDRESS"):
        return None
    try:
        return _LAST_STARTED.read_text().strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def _probe(address: str) -> None:
    """OSError if nobody answers there; Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    socket.create_connection((host.strip("[]"), int(port)), _PATIENCE).close()
