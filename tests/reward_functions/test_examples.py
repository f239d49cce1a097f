"""Every example runs everywhere, is cheap, and pays a good pose better than a bad one."""

import ast
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tracks
from racer_env.kernel import COMPILED
from racer_env.metadata import ModelMetadata
from racer_env.reward import Params, RewardFunction
from racer_env.reward_check import BOTS, BOXES, check_reward, driven_lap, situations_on
from racer_env.situations import Object, situation
from racer_env.track import Track, find_track
from reward_functions import EXAMPLES

NAMES = (
    "centre_line",
    "head_to_bot",
    "inside_borders",
    "no_zigzag",
    "object_avoidance",
    "progress",
    "racing_line",
    "straight_speed",
)

compiled = pytest.mark.skipif(not COMPILED, reason="the grids of many tracks take minutes in plain Python")
shared_tracks = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "tracks"


def load(name: str) -> RewardFunction:
    return RewardFunction.load(EXAMPLES[name] / "reward_function.py")


@pytest.fixture(scope="module")
def track() -> Track:
    return find_track("oval")


@pytest.fixture(scope="module")
def situations(track: Track) -> dict[str, list[Params]]:
    return situations_on(track)


def test_the_examples_are_those_that_are_documented() -> None:
    assert tuple(EXAMPLES) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_an_example_runs_in_every_situation_and_aws_would_accept_it(
    name: str, situations: dict[str, list[Params]]
) -> None:
    report = check_reward(EXAMPLES[name] / "reward_function.py", situations)
    assert [r.error for r in report.ranges if r.error] == []
    assert report.advice == ()
    assert report.call_us is not None
    assert report.call_us < 30.0


@compiled
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shipped", tracks.names())
def test_an_example_runs_on_every_shipped_track(name: str, shipped: str) -> None:
    on = find_track(shipped)
    function = load(name)
    for i in range(40):
        params = situation(on, i / 39, left=0.4 * math.sin(i), turned=20.0 * math.cos(3 * i), steps=2 + i)
        assert math.isfinite(function([params])[0])


@compiled
@pytest.mark.skipif(not shared_tracks.is_dir(), reason="the original's tracks are not here")
@pytest.mark.parametrize("name", ["racing_line", "straight_speed"])
def test_an_example_that_reads_waypoints_runs_on_the_originals_tracks(name: str) -> None:
    for route in sorted(shared_tracks.glob("*.npy")):
        on = find_track(route)
        function = load(name)
        for at in np.linspace(0.0, 1.0, 30).tolist():
            assert math.isfinite(function([situation(on, at)])[0])


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_short_documented_and_imports_only_what_is_everywhere(name: str) -> None:
    text = (EXAMPLES[name] / "reward_function.py").read_text()
    tree = ast.parse(text)
    imported = {a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names}
    assert len(text.splitlines()) < 80
    assert imported <= {"math", "numpy"}
    assert all(ast.get_docstring(node) for node in tree.body if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("file", [f for folder in EXAMPLES.values() for f in folder.glob("model_metadata.json")])
def test_the_examples_action_spaces_can_be_used(file: Path) -> None:
    assert ModelMetadata.read(file).sensors == ("FRONT_FACING_CAMERA",)


# --- good and bad


def rewards(name: str, *steps: Params) -> list[float]:
    function = load(name)
    return [float(function([params])[0]) for params in steps]


def better(name: str, good: Params, bad: Params) -> bool:
    return rewards(name, good)[0] > rewards(name, bad)[0]


@pytest.mark.parametrize("name", [n for n in NAMES if n != "progress"])
def test_on_the_road_is_better_than_off_it(name: str, track: Track) -> None:
    assert better(name, situation(track, 0.3), situation(track, 0.3, left=1.0))
    assert better(name, situation(track, 0.3), situation(track, 0.3, left=-0.5))


def test_centre_line_pays_more_the_nearer_it_is(track: Track) -> None:
    assert better("centre_line", situation(track, 0.3), situation(track, 0.3, left=0.2))
    assert better("centre_line", situation(track, 0.3, left=0.2), situation(track, 0.3, left=-0.4))


def test_centre_line_gives_the_same_for_one_car_and_for_all_at_once(
    situations: dict[str, list[Params]],
) -> None:
    function = load("centre_line")
    for cars in situations.values():
        keys = ("x", "track_width", "distance_from_center")
        columns = {key: np.array([car[key] for car in cars]) for key in keys}
        one_by_one = [float(function([dict(car)])[0]) for car in cars]
        assert function.batch(columns).tolist() == one_by_one


def test_inside_borders_does_not_care_where_on_the_road_but_fears_the_edge(track: Track) -> None:
    middle, aside, edge = (situation(track, 0.1, left=left) for left in (0.0, 0.2, 0.38))
    assert rewards("inside_borders", middle) == rewards("inside_borders", aside)
    assert better("inside_borders", aside, edge)


def test_no_zigzag_pays_more_for_a_steady_wheel(track: Track) -> None:
    def swing(first: float, second: float) -> float:
        steps = enumerate((first, second), start=2)
        return rewards("no_zigzag", *(situation(track, 0.3, steering=s, steps=i) for i, s in steps))[1]

    assert swing(20.0, 20.0) == swing(0.0, 10.0)
    assert swing(0.0, 10.0) > swing(0.0, 30.0) > swing(-30.0, 30.0) > 0.0


def test_no_zigzag_forgets_the_last_episode(track: Track) -> None:
    last, first = (
        situation(track, 0.3, steering=-30.0, steps=90),
        situation(track, 0.3, steering=30.0, steps=2),
    )
    assert rewards("no_zigzag", last, first)[1] == rewards("no_zigzag", first)[0]


def test_progress_adds_up_to_the_lap_less_the_time_it_took(track: Track) -> None:
    slow, fast = driven_lap(track, 1.0), driven_lap(track, 2.0)
    assert sum(rewards("progress", *slow)) == pytest.approx(100.0 - 0.05 * len(slow), abs=1.0)
    assert sum(rewards("progress", *fast)) > sum(rewards("progress", *slow))


def test_progress_pays_for_going_on_and_not_for_going_back_or_off(track: Track) -> None:
    here = situation(track, 0.30, steps=2)
    on, back, off = (
        rewards("progress", here, situation(track, at, left=left, steps=3))[1]
        for at, left in ((0.31, 0.0), (0.29, 0.0), (0.31, 1.0))
    )
    assert on > 0.0 > back > off


def bend_of(on: Track, at: float) -> float:
    """Degrees that the centre line turns within a metre and a half."""
    here, there = on.poses(np.array([at * on.length, at * on.length + 1.5]))[:, 2]
    return abs(math.degrees(math.remainder(float(there - here), math.tau)))


def test_straight_speed_pays_for_speed_on_straights_and_for_care_in_corners(track: Track) -> None:
    places = np.linspace(0.0, 0.9, 91).tolist()
    straight, corner = (
        min(places, key=lambda at: bend_of(track, at)),
        max(places, key=lambda at: bend_of(track, at)),
    )
    name = "straight_speed"
    assert better(name, situation(track, straight, speed=3.0), situation(track, straight, speed=1.0))
    assert better(name, situation(track, corner, speed=1.0), situation(track, corner, speed=3.0))


def test_straight_speed_sees_no_corner_at_the_end_of_an_open_track() -> None:
    road = find_track("straight")
    ends = [situation(road, at, speed=3.0) for at in (0.97, 0.999)]
    assert all(bend_of(road, at) < 5.0 for at in (0.9, 0.97))
    assert all(reward > 0.9 for reward in rewards("straight_speed", *ends))


def namespace(function: RewardFunction) -> dict[str, Any]:
    found: dict[str, Any] = function.functions[0].__globals__
    return found


@compiled
@pytest.mark.parametrize("shipped", tracks.names())
def test_the_racing_line_stays_on_the_road_and_is_smoother_than_the_centre(shipped: str) -> None:
    on = find_track(shipped)
    function = load("racing_line")
    for at in np.linspace(0.0, 0.99, 60).tolist():
        function([situation(on, at)])
    line = np.array(namespace(function)["known"]["line"])
    assert on.contains(line if on.closed else line[1:-1]).all()

    def length(points: Any) -> float:
        return float(np.hypot(*np.diff(points, axis=0).T).sum())

    assert length(line) <= length(on.centre)


def test_the_racing_line_is_computed_once_a_track(track: Track) -> None:
    function = load("racing_line")
    find: Callable[..., Any] = namespace(function)["racing_line"]
    calls: list[int] = []

    def counting(*arguments: Any, **named: Any) -> Any:
        calls.append(1)
        return find(*arguments, **named)

    namespace(function)["racing_line"] = counting
    for at in (0.1, 0.5, 0.9):
        function([situation(track, at)])
    assert len(calls) == 1
    function([situation(find_track("oval", reverse=True), 0.1)])
    assert len(calls) == 2


def test_racing_line_pays_for_the_line_its_direction_and_speed(track: Track) -> None:
    function = load("racing_line")
    here = situation(track, 0.3)
    function([here])
    (x, y) = namespace(function)["known"]["line"][here["closest_waypoints"][0]]
    offsets = np.linspace(-0.3, 0.3, 61).tolist()
    on_line = min(offsets, key=lambda o: math.dist((x, y), _spot(track, 0.3, o)))
    far = on_line - 0.25 if on_line > 0.0 else on_line + 0.25
    good = situation(track, 0.3, left=on_line, speed=3.0)
    assert better("racing_line", good, situation(track, 0.3, left=far, speed=3.0))
    assert better("racing_line", good, situation(track, 0.3, left=on_line, speed=1.0))
    assert better("racing_line", good, situation(track, 0.3, left=on_line, turned=30.0, speed=3.0))
    assert better("racing_line", good, situation(track, 0.3, left=on_line, turned=180.0, speed=3.0))


def _spot(on: Track, at: float, left: float) -> tuple[float, float]:
    params = situation(on, at, left=left)
    return params["x"], params["y"]


@pytest.mark.parametrize("name", ["object_avoidance", "head_to_bot"])
def test_a_box_or_car_close_ahead_is_bad_in_the_same_lane_only(name: str, track: Track) -> None:
    near = 0.8 / track.length
    same = [situation(track, 0.3, left=0.1, objects=[Object(0.3 + d, left=0.1)]) for d in (near, 2.5 * near, -near)]
    other = situation(track, 0.3, left=0.1, objects=[Object(0.3 + near, left=-0.25)])
    close, far, passed = (rewards(name, params)[0] for params in same)
    alone = rewards(name, situation(track, 0.3, left=0.1))[0]
    assert close < far < alone
    assert close < rewards(name, other)[0]
    assert passed == alone


@pytest.mark.parametrize("name", ["object_avoidance", "head_to_bot"])
def test_a_crash_is_bad(name: str, track: Track) -> None:
    for objects in (BOXES, BOTS):
        fine = situation(track, 0.3, objects=objects)
        assert better(name, fine, {**fine, "is_crashed": True})


def test_head_to_bot_pays_for_overtaking(track: Track) -> None:
    bot = [Object(0.3 + 0.8 / track.length, left=-0.25, speed=1.0)]
    overtaking, following = (situation(track, 0.3, left=0.1, speed=v, objects=bot) for v in (2.0, 0.8))
    assert better("head_to_bot", overtaking, following)
    assert better("head_to_bot", overtaking, situation(track, 0.3, left=0.1, speed=2.0))
