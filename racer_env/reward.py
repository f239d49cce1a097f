"""Reward functions: a user's ``reward_function.py`` loaded, tried, called for every car, and blamed by line.

Every car of a batch has its own copy of the file's module, as every worker of the original has: globals and
classes in it keep one car's state for the whole job. A function may change its dict, as in the original,
which hands over a deep copy; so params must be made anew for every call. Only ``waypoints`` is shared, and is
protected here. A reward is valid as in the original: a real number, finite and within ±1e5.
"""

from __future__ import annotations

import inspect
import sys
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import numpy as np

from racer_env.errors import RewardError, nearest
from racer_env.kernel import Floats, Ints
from racer_env.user_code import Printed, abbreviated, code_of, compile_file, execute, line_of, said, strings

Params = dict[str, Any]

#: The largest reward of either sign that the original accepts.
LIMIT = 1e5

#: What the original calls the module that it makes of the user's file; copy i > 0 adds its number.
MODULE = "customer_reward_function"

#: Parameters of DeepRacer's first release, which were positional, and where their values are today.
NAMES_OF_2018 = {
    "on_track": "all_wheels_on_track",
    "car_orientation": "heading",
    "throttle": "speed",
    "steering": "steering_angle",
    "closest_waypoint": "closest_waypoints",
}

_NOTHING = object()


class RewardFunction:
    """A reward function for a batch of cars: called with one dict per car, it gives one float64 per car.

    Made by `load` or `of`.

    Attributes:
        functions: the user's function, one copy per car.
        path: the file it came from, as given by the user.
        printed: a context in which what it prints is kept; `take_printed` hands it over.
    """

    def __init__(
        self,
        functions: Sequence[Callable[[Params], Any]],
        module_code: CodeType | None = None,
        batch_function: Callable[[Mapping[str, Any]], Any] | None = None,
        printed: Printed | None = None,
    ):
        self.functions = list(functions)
        self._module_code = module_code
        self._batch_function = batch_function
        self.printed = printed or Printed()
        self._waypoints: Any = None
        self._waypoints_were: Any = None
        self._changes_waypoints = False
        code = code_of(functions[0])
        self._keys = frozenset(strings(module_code or code))
        self.path, self._line = _place(functions[0], module_code)

    @classmethod
    def load(cls, path: str | Path, copies: int = 1) -> RewardFunction:
        """Compile a file once and execute it once per car. Raises `RewardError` with file and line."""
        return cls._execute(compile_file(Path(path)), copies)

    @classmethod
    def of(cls, function: Callable[[Params], Any], copies: int = 1) -> RewardFunction:
        """Use a Python function, shared by all cars. Raises `RewardError` if it cannot take one dict."""
        _check_parameters(function, None)
        return cls([function] * copies)

    @classmethod
    def _execute(cls, code: CodeType, copies: int) -> RewardFunction:
        printed = Printed()
        with printed:
            modules = [execute(code, f"{MODULE}_{i}" if i else MODULE) for i in range(copies)]
        functions = [_find_function(module, code) for module in modules]
        return cls(functions, code, getattr(modules[0], "batch_reward_function", None), printed)

    def fresh(self, copies: int = 1) -> RewardFunction:
        """Give the same function for other cars, with nothing remembered; `of` a function, the same one."""
        if self._module_code is None:
            return RewardFunction.of(self.functions[0], copies)
        return self._execute(self._module_code, copies)

    @property
    def from_file(self) -> bool:
        """Whether it was loaded from a file, so that every car has its own copy."""
        return self._module_code is not None

    @property
    def batched(self) -> bool:
        """Whether the file defines ``batch_reward_function(params)`` too."""
        return self._batch_function is not None

    def take_printed(self) -> list[str]:
        """Hand over what the function printed since the last time, line by line (the last 1000)."""
        return self.printed.take()

    def __call__(self, params: Sequence[Params], cars: Sequence[int] | Ints | None = None) -> Floats:
        """Reward cars, each for one dict.

        Args:
            params: a dict for every car or, in the same order, for every one of `cars`.
            cars: which cars to call; the others' copies are left alone. All by default.

        Returns:
            Rewards, float64, as many as there are params.

        Raises:
            RewardError: the function failed or gave what is no reward.
        """
        functions = self.functions if cars is None else [self.functions[i] for i in np.asarray(cars).tolist()]
        if len(functions) != len(params):
            raise ValueError(f"{len(params)} params for {len(functions)} cars")
        values = array("d")
        append = values.append  # converts as float() does, but takes no text
        value: Any = _NOTHING
        car: Params = {}
        try:
            with self.printed:
                for function, car in zip(functions, self._protected(params), strict=True):
                    value = _NOTHING
                    value = function(car)
                    append(value)
        except (Exception, SystemExit) as error:
            raise self._blame(error, value, car) from error
        self._restore_waypoints()
        rewards = np.array(values)
        good = np.abs(rewards) <= LIMIT
        if not good.all():
            first = int(good.argmin())
            raise self._bad_value(values[first], params[first])
        return rewards

    def batch(self, columns: Mapping[str, Any]) -> Floats:
        """Reward all cars at once with the file's ``batch_reward_function``.

        Args:
            columns: keys as arrays (n,), but ``closest_waypoints`` (n, 2) and ``waypoints`` (m, 2).

        Returns:
            Rewards, float64 (n,).

        Raises:
            RewardError: the function failed or gave what is no (n,) array of rewards.
        """
        if self._batch_function is None:
            raise ValueError(f"{self.path} defines no batch_reward_function")
        where = "{}:{}: batch_reward_function".format(*_place(self._batch_function, self._module_code))
        n = len(columns["x"])
        try:
            with self.printed:
                given = np.asarray(self._batch_function(columns))
        except (Exception, SystemExit) as error:
            line = line_of(error, self.path)
            where = f"{self.path}:{line}: batch_reward_function" if line else where
            raise RewardError(f"{where} failed with {said(error)}") from error
        if given.dtype.kind not in "bifu" or given.shape != (n,):
            shape = f"{given.dtype} of shape {given.shape}"
            raise RewardError(f"{where} returned {shape}, but {n} cars need numbers of shape ({n},)")
        rewards = given.astype(np.float64)
        good = np.abs(rewards) <= LIMIT
        if not good.all():
            first = int(good.argmin())
            raise RewardError(f"{where} returned {_fault(float(rewards[first]))}; it was for car {first}")
        return rewards

    def _protected(self, params: Sequence[Params]) -> Iterable[Params]:
        """Cars share the list of waypoints; a function that changes it gets its own from then on."""
        if self._changes_waypoints:
            return map(_with_own_waypoints, params)
        if params and (waypoints := params[0].get("waypoints")) is not self._waypoints:
            self._waypoints, self._waypoints_were = waypoints, waypoints and list(waypoints)
        return params

    def _restore_waypoints(self) -> None:
        # Comparing a list with its copy takes a nanosecond a point: the same objects are not looked into.
        if not self._changes_waypoints and self._waypoints != self._waypoints_were:
            self._waypoints[:] = self._waypoints_were
            self._changes_waypoints = True

    def _blame(self, error: BaseException, value: Any, car: Params) -> RewardError:
        if value is not _NOTHING:
            return self._bad_value(value, car)
        what = f"reward_function failed with {said(error)}"
        if isinstance(error, KeyError) and isinstance(error.args[0], str) and error.args[0] not in car:
            what = f"params has no {error.args[0]!r}; {nearest(error.args[0], car)}"
        line = line_of(error, self.path) or self._line
        return RewardError(f"{self.path}:{line}: {what}; {self._short(car)}")

    def _bad_value(self, value: Any, car: Params) -> RewardError:
        return RewardError(f"{self.path}:{self._line}: reward_function returned {_fault(value)}; {self._short(car)}")

    def _short(self, car: Params) -> str:
        """Say the params that the user's code names; all of them if it names none."""
        read = {key: value for key, value in car.items() if key in self._keys} or car
        return "params were " + ", ".join(f"{key}={abbreviated(value)}" for key, value in read.items())


def _with_own_waypoints(car: Params) -> Params:
    car["waypoints"] = list(car["waypoints"])
    return car


def try_reward(function: RewardFunction, trial: Sequence[Params]) -> None:
    """Call a fresh copy for a few situations, so that errors show before the first step.

    The copies that will be used keep their state. A Python function (not a file) has no copy and is left out.

    Args:
        function: what is about to be used.
        trial: one car's situations in the order of time, such as `racer_env.situations.trial` gives.

    Raises:
        RewardError: as calling the function would.
    """
    if not function.from_file:
        return
    fresh = function.fresh()
    for params in trial:
        fresh([params])
    function._changes_waypoints = fresh._changes_waypoints


def _find_function(module: ModuleType, code: CodeType) -> Callable[[Params], Any]:
    function = getattr(module, "reward_function", None)
    if function is None:
        names = [name for name, value in vars(module).items() if inspect.isfunction(value)]
        there = f"the file defines {', '.join(names)}" if names else "the file defines no function"
        raise RewardError(f"{code.co_filename}:1: there is no reward_function(params); {there}")
    if not callable(function):
        kind = type(function).__name__
        raise RewardError(f"{code.co_filename}:1: reward_function is a {kind}, but must be a function")
    _check_parameters(function, code)
    return function  # type: ignore[no-any-return]


def _check_parameters(function: Callable[..., Any], module_code: CodeType | None) -> None:
    try:
        signature = inspect.signature(function)
    except ValueError:  # a builtin that does not tell
        return
    try:
        signature.bind({})
    except TypeError:
        path, line = _place(function, module_code)
        names = list(signature.parameters)
        inside = ", ".join(f"{name} = params[{NAMES_OF_2018.get(name, name)!r}]" for name in names)
        raise RewardError(
            f"{path}:{line}: reward_function takes {len(names)} parameters, but is called with one dict; "
            f'write "def reward_function(params):"' + (f" and in it {inside}" if names else "")
        ) from None


def _place(function: Callable[..., Any], module_code: CodeType | None) -> tuple[str, int]:
    """The file and line that a function is blamed by when no other line is known."""
    code = code_of(function)
    path = module_code.co_filename if module_code else code.co_filename if code else "reward_function"
    return path, code.co_firstlineno if code and code.co_filename == path else 1


def _fault(value: Any) -> str:
    if value is None:
        return "None (is a return missing?), but a reward is a number"
    if isinstance(value, float) and not np.isfinite(value):
        return f"{value}, but a reward must be finite"
    if isinstance(value, int | float):
        shown = value if abs(value) <= sys.float_info.max else "an integer beyond all floats"
        return f"{shown}, but a reward must lie between {-LIMIT:g} and {LIMIT:g}"
    return f"{abbreviated(value)} ({type(value).__name__}), but a reward is a number"
