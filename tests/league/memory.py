"""What a check takes: imported by the process that checks, so it imports little itself."""

from __future__ import annotations

import resource
import sys

from league.evaluation import check
from racer_env.errors import BundleError


def peak_mb(archive: bytes) -> tuple[str, float]:
    """Check a bundle; why it is refused, and the memory that this took, MB."""
    unit = 1024 if sys.platform == "linux" else 1024 * 1024
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        check((archive, "driver.tar.gz"))
        said = ""
    except (BundleError, MemoryError) as error:
        said = str(error) or "no memory"
    return said, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / unit
