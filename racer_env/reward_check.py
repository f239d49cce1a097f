"""What a reward function gives, what it costs, and what AWS's console would say, before training with it.

AWS's console refuses more than its simulator does; here all that runs may run, and
the validator's rules become advice. Not covered: its search for undefined names; running shows those.
"""

from __future__ import annotations

import ast
import copy
import inspect
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from racer_env.driver import PurePursuit
from racer_env.errors import RewardError
from racer_env.race import Race
from racer_env.reward import Params, RewardFunction
from racer_env.simulator import Simulator
from racer_env.situations import Object, situation
from racer_env.track import Track
from racer_env.user_code import code_of, read_source

ALLOWED_IMPORTS = ("math", "random", "numpy", "scipy", "shapely")
FORBIDDEN_CALLS = ("open", "exec", "eval", "compile", "input")
FORBIDDEN_TEXT = (
    "__import__",
    "genfromtxt",
    "loadtxt",
    "fromfile",
    "load",
    "tofile",
    "savetxt",
    "savez",
    "save",
    "memmap",
)
UNKNOWN_KEYS = ("projection_distance", "objects_distance_from_center", "sim_time")
MAX_LENGTH = 140_000  #: characters
MAX_SECONDS = 5.0  #: of one call

PLACES = 16  #: around the lap, where a situation is tried
BOXES = tuple(Object(at=(i + 0.5) / 6, left=0.25 if i % 2 else -0.25) for i in range(6))
BOTS = tuple(Object(at=(i + 0.5) / 3, left=0.25, speed=0.7) for i in range(3))


@dataclass(frozen=True)
class Range:
    """The rewards of one kind of situation; no numbers where a call failed."""

    situation: str
    calls: int
    minimum: float | None = None
    mean: float | None = None
    maximum: float | None = None
    error: str | None = None


@dataclass(frozen=True)
class Advice:
    """Something that AWS's validator would not accept."""

    line: int
    text: str


@dataclass(frozen=True)
class RewardReport:
    """All that a check found out."""

    path: str
    ranges: tuple[Range, ...]
    first_call_us: float | None  #: µs; it may set something up
    call_us: float | None  #: µs of a later call, on average over the first kind of situation
    advice: tuple[Advice, ...]
    printed: tuple[str, ...]  #: what it printed, the last lines

    @property
    def ok(self) -> bool:
        """Whether every call gave a reward."""
        return all(r.error is None for r in self.ranges)


def check_reward(path: str | Path, situations: Mapping[str, Sequence[Params]]) -> RewardReport:
    """Run a reward function over situations.

    Args:
        path: the user's file.
        situations: name -> params of one car in the order of time; the cost is measured on the first of them.

    Raises:
        RewardError: the file cannot be loaded. What fails in a call is part of the report.
    """
    function = RewardFunction.load(path)
    printed: list[str] = function.take_printed()
    ranges = []
    for name, params in situations.items():
        fresh = function.fresh()
        ranges.append(_range(name, fresh, copy.deepcopy(params)))
        printed += fresh.take_printed()
    advice = list(source_advice(read_source(Path(path)))) + list(_signature_advice(function))
    first, later = None, None
    if ranges and ranges[0].error is None:
        params = next(iter(situations.values()))
        first, later = _cost(function, params)
        advice += _result_advice(function, params, first)
    unique = sorted(set(advice), key=lambda a: (a.line, a.text))
    return RewardReport(function.path, tuple(ranges), first, later, tuple(unique), tuple(printed))


def situations_on(track: Track) -> dict[str, list[Params]]:
    """Drive and place a car on a track in every way that a reward function should be ready for."""
    shares = [(i + 0.5) / PLACES for i in range(PLACES)]
    backwards = Track(track.name, track.route[::-1].copy(), not track.is_reversed)

    def around(on: Track, *, places: Sequence[float] = shares, **how: Any) -> list[Params]:
        return [situation(on, at, steps=2 + 10 * i, **how) for i, at in enumerate(places)]

    return {
        "driven lap": driven_lap(track),
        "partly off track": around(track, left=0.5) + around(track, left=-0.5),
        "off track": around(track, left=1.0) + around(track, left=-1.0),
        "wrong way": around(track, places=shares[::-1], turned=180.0),
        "reversed track": around(backwards),
        "boxes": [s for lane in (0.25, -0.25) for s in around(track, left=lane, objects=BOXES)],
        "bot cars": [s for lane in (0.25, -0.25) for s in around(track, left=lane, objects=BOTS)],
        "crash": [{**s, "is_crashed": True} for s in _at_boxes(track)],
    }


def driven_lap(track: Track, speed: float = 1.5) -> list[Params]:
    """Drive a lap in the simulator, on the centre line, and give the params as a function sees them."""
    simulator = Simulator(track, race=Race(), actions=PurePursuit.actions)
    driver = PurePursuit(track, speed)
    simulator.reset()
    lap: list[Params] = []
    while True:
        step = simulator.step(driver.commands(simulator))
        lap += simulator.params()
        if step.done[0]:
            return lap


def source_advice(source: str) -> Iterator[Advice]:
    """Say what AWS's validator would not accept in a file's text, line by line."""
    if not 1 <= len(source) <= MAX_LENGTH:
        yield Advice(1, f"the file has {len(source)} characters; AWS takes 1 to {MAX_LENGTH}")
    for number, line in enumerate(source.splitlines(), start=1):
        found = next((text for text in FORBIDDEN_TEXT if text in line), None)
        if found:
            yield Advice(number, f"AWS refuses the text {found!r} anywhere, even in names and comments")
    tree = ast.parse(source)
    for node in ast.walk(tree):
        yield from _import_advice(node, at_top=node in tree.body)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FORBIDDEN_CALLS:
            yield Advice(node.lineno, f"AWS does not allow to call {node.func.id}()")
        if isinstance(node, ast.Constant) and node.value in UNKNOWN_KEYS:
            yield Advice(node.lineno, f"AWS's validator tests without {node.value!r}, though its simulator gives it")


def _import_advice(node: ast.AST, *, at_top: bool) -> Iterator[Advice]:
    if isinstance(node, ast.Import):
        modules = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        modules = [node.module or "."]
    else:
        return
    for module in modules:
        if module.split(".")[0] not in ALLOWED_IMPORTS:
            yield Advice(node.lineno, f"AWS allows to import {', '.join(ALLOWED_IMPORTS)}, not {module}")
    if not at_top:
        yield Advice(node.lineno, "AWS wants imports at the top of the file, outside of functions")


def _signature_advice(function: RewardFunction) -> Iterator[Advice]:
    count = len(inspect.signature(function.functions[0]).parameters)
    if count != 1:
        yield Advice(_line(function), f"reward_function has {count} parameters; AWS wants exactly one")


def _result_advice(function: RewardFunction, params: Sequence[Params], first_call_us: float) -> Iterator[Advice]:
    kinds: list[type] = []
    recorder = RewardFunction.of(_recording(function.fresh().functions[0], kinds))
    for car in copy.deepcopy(params):
        recorder([car])
    for kind in sorted({kind.__name__ for kind in kinds if not issubclass(kind, float)}):
        yield Advice(_line(function), f"reward_function returned a value of type {kind}; AWS wants float(reward)")
    if first_call_us > MAX_SECONDS * 1e6:
        yield Advice(_line(function), f"a call took {first_call_us / 1e6:.1f} s; AWS gives up after {MAX_SECONDS:g} s")


def _recording(function: Callable[[Params], Any], kinds: list[type]) -> Callable[[Params], Any]:
    def reward_function(params: Params) -> Any:
        value = function(params)
        kinds.append(type(value))
        return value

    return reward_function


def _line(function: RewardFunction) -> int:
    code = code_of(function.functions[0])
    return code.co_firstlineno if code else 1


def _range(name: str, function: RewardFunction, params: Sequence[Params]) -> Range:
    try:
        rewards = [float(function([car])[0]) for car in params]
    except RewardError as error:
        return Range(name, len(params), error=str(error))
    return Range(name, len(params), min(rewards), sum(rewards) / len(rewards), max(rewards))


def _cost(function: RewardFunction, params: Sequence[Params], rounds: int = 3) -> tuple[float, float]:
    """Microseconds of the first call and, on average, of the others; the best of a few rounds."""
    timed = [_timed(function.fresh(), copy.deepcopy(params)) for _ in range(rounds)]
    first, later = (min(seconds) * 1e6 for seconds in zip(*timed, strict=True))
    return first, later


def _timed(function: RewardFunction, params: Sequence[Params]) -> tuple[float, float]:
    reward_function = function.functions[0]
    with function.printed:
        start = time.perf_counter()
        reward_function(params[0])
        middle = time.perf_counter()
        for car in params[1:]:
            reward_function(car)
        end = time.perf_counter()
    return middle - start, (end - middle) / max(len(params) - 1, 1)


def _at_boxes(track: Track) -> list[Params]:
    return [situation(track, box.at, left=box.left, steps=2 + i, objects=BOXES) for i, box in enumerate(BOXES)]
