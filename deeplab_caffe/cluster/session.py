"""The connection to a Ray cluster."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..errors import DeepLabError, reason_of

_PATIENCE = 10.0  # seconds


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
            ray.init("auto", **quiet)
            return
        except ConnectionError:  # none runs here
            address = "local"
    elif address != "local":  # Ray itself tries for minutes
        host, _, port = address.rpartition(":")
        socket.create_connection((host.strip("[]"), int(port)), _PATIENCE).close()
    if address == "local":
        quiet["include_dashboard"] = False
    ray.init(address, **quiet)
