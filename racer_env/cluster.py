"""A Ray cluster: one that is running, or one of this machine's cores that is started and ended here.

Machines of a cluster need the same Python and the same version of this package; they share no disk with each other.
Needs the extra ``cluster``, so that nothing else here imports it.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from racer_env.errors import RacerError


class ClusterError(RacerError):
    """A Ray cluster that cannot be reached, or Ray itself, which is not installed."""


os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # what Ray will do by default, and warns of
try:
    import ray as ray  # noqa: PLC0414 - others take it from here, so that it is missed in one place
except ImportError as error:
    raise ClusterError("--engine ray needs Ray: pip install 'racer18[cluster]'") from error

#: Of workers: each has one CPU, and threads that wait sleep, as several share a machine.
ENVIRONMENT = {"NUMBA_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}


def check_address(address: str | None) -> None:
    """Make sure that somebody answers there, which Ray itself tries for minutes. Raises `ClusterError`."""
    if address is None or address == "auto":
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        raise ClusterError(f"{address!r} is no address of a Ray cluster, such as 192.168.0.1:6379, or auto")
    try:
        socket.create_connection((host, int(port)), timeout=5.0).close()
    except (OSError, OverflowError) as error:
        raise ClusterError(
            f"no Ray cluster answers at {address}: {getattr(error, 'strerror', None) or error}"
        ) from error


@contextmanager
def connected(address: str | None = None, cpus: int | None = None) -> Iterator[None]:
    """Be connected to a cluster, and no longer afterwards; if we are already, nothing changes.

    Args:
        address: of a running cluster, as `ray start` shows it, or ``auto``; None starts one on this machine.
        cpus: of the cluster that is started; by default all cores.

    Raises:
        ClusterError: there is no such cluster.
    """
    check_address(address)
    if ray.is_initialized():
        yield
        return
    try:
        ray.init(
            address or "local",
            logging_level=logging.ERROR,
            log_to_driver=False,
            runtime_env={"env_vars": ENVIRONMENT},
            num_cpus=cpus,
            include_dashboard=False if address is None else None,
        )
    except (ConnectionError, ValueError, RuntimeError, TimeoutError, OSError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ClusterError(f"no Ray cluster can be reached at {address or 'this machine'}: {reason}") from error
    try:
        yield
    finally:
        ray.shutdown()


def cpus() -> int:
    """How many CPUs the cluster has now; machines may come and go."""
    return max(int(ray.cluster_resources().get("CPU", 0)), 1)  # type: ignore[no-untyped-call]
