"""Compiled kernels that also run as plain Python.

``RACER_NO_JIT=1`` in the environment leaves every kernel a Python function, so that debuggers and coverage reach
it. Kernels work on numpy record arrays: ``car = cars[i]`` is a reference in both modes, and writing its fields
writes the array.

What is compiled is kept on disk. Numba asks only whether the file of a kernel is still the same, although the kernels
that it calls and the constants that it reads, which may be in other files, are compiled into it; so the place on disk
is another one whenever any of these files has changed.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

Function = TypeVar("Function", bound=Callable[..., Any])

#: A record array; its fields are attributes. Numpy cannot type them, so neither can we.
Records = Any
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

COMPILED = os.environ.get("RACER_NO_JIT", "0") != "1"
STALE_DAYS = 7  #: after which kernels of other versions of the files are removed


def _fingerprint(package: Path) -> str:
    """Hash of what makes the kernels: the files that hold any, and those from which these import."""
    files = {".".join(path.relative_to(package).with_suffix("").parts): path for path in package.rglob("*.py")}
    texts = {name: path.read_bytes() for name, path in files.items()}
    holders = [name for name, text in texts.items() if b"kernel\ndef " in text]
    imports = (found for name in holders for found in re.findall(rb"from racer_env\.([\w.]+) import", texts[name]))
    imported = {found.decode() for found in imports}
    used = sorted(imported.intersection(texts).union(holders))
    return hashlib.sha256(b"".join(name.encode() + texts[name] for name in used)).hexdigest()[:16]


def _keep_kernels() -> Path:
    """Tell numba where to keep kernels: below NUMBA_CACHE_DIR, beside the package, or at home if that is read-only."""
    package = Path(__file__).resolve().parent
    beside = package / "__pycache__"
    given = os.environ.get("NUMBA_CACHE_DIR")
    parent = Path(given) if given else beside if os.access(package, os.W_OK) else Path.home() / ".cache" / "racer"
    ours = parent / f"kernels-{_fingerprint(package)}"
    for other in parent.glob("kernels-*"):
        if other != ours and time.time() - other.stat().st_mtime > STALE_DAYS * 86400:
            shutil.rmtree(other, ignore_errors=True)
    numba.config.CACHE_DIR = str(ours)  # type: ignore[attr-defined]
    return ours


#: Where compiled kernels are kept. Numba forgets what it was told once a variable of its own changes.
KEPT = _keep_kernels() if COMPILED else None

#: A range whose turns run on several cores when the kernel is compiled with `parallel_kernel`.
prange = numba.prange if COMPILED else range


def kernel(function: Function) -> Function:
    """Compile a function for one core, kept on disk between runs."""
    return cast("Function", numba.njit(cache=True)(function)) if COMPILED else function


def inlined_kernel(function: Function) -> Function:
    """Compile a function into every kernel that calls it: handing it a track would cost more than what it does."""
    return cast("Function", numba.njit(cache=True, forceinline=True)(function)) if COMPILED else function


def parallel_kernel(function: Function) -> Function:
    """Compile a function whose `prange` loops use all cores, kept on disk between runs."""
    return cast("Function", numba.njit(cache=True, parallel=True)(function)) if COMPILED else function


class RecordArray(npt.NDArray[Any]):
    """Records whose fields are attributes.

    Numpy's own, `numpy.recarray`, looks every attribute up in Python, those of the array too, and so does numba when a
    kernel is called: microseconds each, which is what one car's step takes.
    """

    _whole: np.dtype[Any]  #: the bytes of a record

    def copy(self, order: Any = "C") -> Any:
        """Copy whole records; numpy would go field by field."""
        if self.dtype.names is None:
            return super().copy(order)
        return np.ndarray.copy(self.view(self._whole), order).view(self.dtype)

    def __reduce__(self) -> tuple[Any, ...]:
        return (as_records if self.dtype.names else np.asarray), (self.view(np.ndarray),)


@cache
def _kind_of(layout: np.dtype[Any]) -> tuple[np.dtype[Any], type[RecordArray]]:
    """Make the one type of a layout's records, by which numba knows them quickly, and the class of their arrays."""

    def field(name: str) -> property:
        return property(lambda a: a.view(np.ndarray)[name], lambda a, value: a.__setitem__(name, value))

    members: dict[str, Any] = {name: field(name) for name in layout.names or ()}
    members["_whole"] = np.dtype((np.void, layout.itemsize))
    return np.dtype((np.record, layout)), type("RecordArray", (RecordArray,), members)


def as_records(values: npt.NDArray[Any]) -> Records:
    """View a structured array as records, whose fields read and write as attributes in both modes."""
    one, many = _kind_of(values.dtype)
    return values.view(one).view(many)


def records(shape: int | tuple[int, ...], dtype: np.dtype[Any]) -> Records:
    """Zeroed records of a shape, whose fields read and write as attributes in both modes."""
    return as_records(np.zeros(shape, dtype))
