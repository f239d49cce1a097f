"""Compiled kernels that also run as plain Python.

``RACER_NO_JIT=1`` in the environment leaves every kernel a Python function, so that debuggers and coverage reach
it. Kernels work on numpy record arrays: ``car = cars[i]`` is a reference in both modes, and writing its fields
writes the array.
"""

from __future__ import annotations

import os
from collections.abc import Callable
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

#: A range whose turns run on several cores when the kernel is compiled with `parallel_kernel`.
prange = numba.prange if COMPILED else range


def kernel(function: Function) -> Function:
    """Compile a function for one core, kept on disk between runs."""
    return cast("Function", numba.njit(cache=True)(function)) if COMPILED else function


def parallel_kernel(function: Function) -> Function:
    """Compile a function whose `prange` loops use all cores, kept on disk between runs."""
    return cast("Function", numba.njit(cache=True, parallel=True)(function)) if COMPILED else function


def records(shape: int | tuple[int, ...], dtype: np.dtype[Any]) -> Records:
    """Zeroed records of a shape, whose fields read and write as attributes in both modes."""
    return np.zeros(shape, dtype).view(np.recarray)
