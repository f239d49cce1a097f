"""Kernels do the same compiled and as plain Python."""

import copy
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from racer_env import kernel as kernels
from racer_env.kernel import COMPILED, Records, kernel, parallel_kernel, prange, records

PAIR = np.dtype([("a", np.float64), ("b", np.int64), ("c", np.bool_)], align=True)


@kernel
def _double(things: Records) -> None:
    for i in range(things.size):
        thing = things[i]
        thing.a, thing.b, thing.c = 2.0 * thing.a, thing.b + 1, not thing.c


@parallel_kernel
def _double_all(things: Records, out: Records) -> None:
    for i in prange(things.size):
        out[i] = 2.0 * things[i].a


def test_a_record_is_a_reference_in_both_modes() -> None:
    things = records(3, PAIR)
    things.a = [1.0, 2.0, 3.0]
    _double(things)
    assert things.tolist() == [(2.0, 1, True), (4.0, 1, True), (6.0, 1, True)]


def test_a_parallel_kernel_writes_every_row() -> None:
    things, out = records(500, PAIR), np.zeros(500)
    things.a = np.arange(500.0)
    _double_all(things, out)
    assert out.tolist() == (2.0 * np.arange(500.0)).tolist()


def test_fields_of_records_are_attributes_that_read_and_write_the_array() -> None:
    things = records(3, PAIR)
    things.a, things[1:].b, things[0].c = [1.0, 2.0, 3.0], 7, True
    things.a[2] = 9.0
    assert things.tolist() == [(1.0, 0, True), (2.0, 7, False), (9.0, 7, False)]
    assert type(things.a) is np.ndarray
    with pytest.raises(AttributeError, match="d"):
        _ = things.d


@pytest.mark.parametrize("copied", [lambda x: x.copy(), copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_of_records_is_the_same_and_independent(copied: Callable[[Records], Records]) -> None:
    things = records(3, PAIR)
    things.a, things.b, things.c = [1.0, 2.0, 3.0], [4, 5, 6], [True, False, True]
    other = copied(things)
    assert (other.tolist(), other.dtype, type(other)) == (things.tolist(), things.dtype, type(things))
    other[1].b = 50
    assert (other.b[1], things.b[1]) == (50, 5)
    assert copied(things["b"]).tolist() == [4, 5, 6]


@pytest.mark.jit
def test_kernels_are_compiled_unless_told_otherwise() -> None:
    assert COMPILED
    assert hasattr(_double, "py_func")


DRIVE = """
import numpy as np
from racer_env.simulator import Simulator
from racer_env.sensors import find_sensors
from racer_env.track import find_track
world = Simulator(find_track("hairpin"), sensors=find_sensors(["STATE", "FRONT_FACING_CAMERA"]), n=2)
world.reset()
for action in (2, 3, 4, 4, 1):
    step = world.step(np.array([action, 2]))
print(step.judged.tolist(), step.episode.tolist(), world.state.motion.tolist())
print(step.observations["STATE"].tolist(), int(step.observations["FRONT_FACING_CAMERA"].sum()))
"""


@pytest.mark.jit
def test_both_modes_drive_and_see_the_same_to_the_last_bit() -> None:
    said = []
    for mode in ("0", "1"):
        ran = subprocess.run(
            [sys.executable, "-c", DRIVE],
            env={**os.environ, "RACER_NO_JIT": mode},
            capture_output=True,
            text=True,
            check=True,
        )
        said.append(ran.stdout)
    assert said[0] == said[1]
    assert len(said[0]) > 500


@pytest.mark.jit
def test_a_kernel_is_compiled_anew_when_one_that_it_calls_has_changed(tmp_path: Path) -> None:
    """Numba alone would go on with the old one: the caller's file is the same."""
    package = Path(kernels.__file__).parent
    copied = tmp_path / "racer_env"
    copied.mkdir()
    for name in ("__init__.py", "kernel.py"):
        shutil.copy(package / name, copied)
    (copied / "caller.py").write_text(
        "from racer_env.callee import answer\nfrom racer_env.kernel import kernel\n\n\n"
        "@kernel\ndef ask() -> int:\n    return answer() + 0\n"
    )
    said = []
    for value in (1, 2):
        (copied / "callee.py").write_text(
            f"from racer_env.kernel import kernel\n\n\n@kernel\ndef answer() -> int:\n    return {value}\n"
        )
        command = "from racer_env.caller import ask; print(ask())"
        environment = {**os.environ, "PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
        done = subprocess.run(
            [sys.executable, "-c", command], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
        )
        said.append(done.stdout.strip())
    assert said == ["1", "2"]
    assert len(list((tmp_path / "cache").glob("kernels-*"))) == 2
