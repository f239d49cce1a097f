from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from racer_env.agreement import QUANTITIES, Agreement, compare, judge, measure, summary
from racer_env.car import DEEPRACER_V4, Car, DiscreteActions
from racer_env.race import TIME_TRIAL, Race
from racer_env.recorder import TraceRecorder
from racer_env.recording import open_recordings
from racer_env.reward import RewardFunction
from racer_env.simulator import Simulator
from racer_env.trace import HEADER, LOG_MARK, Trace, parse, text
from racer_env.track import Track, find_track

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
DATA = SHARED / "data"
original = pytest.mark.skipif(not (DATA / "traces").is_dir(), reason="the original's traces are not here")

ACTIONS = DiscreteActions((-30.0, 0.0, 30.0), (1.0, 2.0, 1.0))

FLYING = Race(laps=2, continuous=True, resets=30, off_track_penalty=0.5)

#: Remembers the progress of the step before, also from one episode to the next: what the original's v6 runs used.
GAIN = """
last = 0.0


def reward_function(params):
    global last
    gain = max(params["progress"] - last, 0.01)
    last = params["progress"]
    return gain if params["all_wheels_on_track"] else 0.75 * gain
"""

#: What the original evaluates with.
BANDS = """
def reward_function(params):
    for share, reward in ((0.1, 1.0), (0.25, 0.5), (0.5, 0.1)):
        if params["distance_from_center"] <= share * params["track_width"]:
            return reward
    return 1e-3
"""


def function(tmp_path: Path, code: str) -> RewardFunction:
    (tmp_path / "reward_function.py").write_text(code)
    return RewardFunction.load(tmp_path / "reward_function.py")


def drive(race: Race, reward: RewardFunction | None = None, steps: int = 400, track: str = "oval") -> tuple[str, Track]:
    """The text of a CSV file that our own simulator records, driven along the centre line, badly now and then."""
    course = find_track(track)
    simulator = Simulator(course, race=race, reward=reward, actions=ACTIONS)
    recorder, draws = TraceRecorder(simulator), np.random.default_rng(7)
    simulator.reset()
    recorder.begin([0])
    content, episode = HEADER, 0
    for k in range(steps):
        wild = k % 150 > 100
        action = draws.integers(3, size=1) if wild else np.array([_towards_the_centre(simulator)])
        for _, rows in recorder.add(simulator.step(action), action):
            content, episode = content + text(rows, episode), episode + 1
            simulator.reset()
            recorder.begin([0])
    assert episode > 0
    return content, course


def _towards_the_centre(simulator: Simulator) -> int:
    seen, motion = simulator.state.situation[0], simulator.state.motion[0]
    x, y, _ = simulator.track.poses(np.array([seen.projection_distance + 0.4]))[0]
    turn = np.arctan2(y - motion.y, x - motion.x) - motion.yaw
    turn = (turn + np.pi) % (2.0 * np.pi) - np.pi
    return 2 if turn > 0.1 else 0 if turn < -0.1 else 1


def recorded(content: str) -> Trace:
    return parse(content, Path("own.csv"))


def rounded(trace: Trace) -> Trace:
    """The trace as a log keeps it."""
    lines = []
    for row in trace.text().splitlines()[1:]:
        v = row.split(",")
        places = {2: 4, 3: 4, 4: 4, 5: 2, 6: 2, 8: 4, 11: 4, 13: 2, 16: 2}
        lines.append(LOG_MARK + ",".join(f"{float(x):.{places[i]}f}" if i in places else x for i, x in enumerate(v)))
    return parse("\n".join(lines), Path("own.log"))


@pytest.mark.parametrize("code", [BANDS, GAIN])
@pytest.mark.parametrize("race", [TIME_TRIAL, FLYING, Race(resets=5)], ids=["training", "flying laps", "resets"])
def test_what_our_own_simulator_records_agrees_with_it_in_everything(race: Race, code: str, tmp_path: Path) -> None:
    content, track = drive(race, function(tmp_path, code), steps=1200)
    trace = recorded(content)
    found = compare(trace, track, DEEPRACER_V4, function(tmp_path, code))
    assert {quantity: found.share(quantity) for quantity in QUANTITIES} == dict.fromkeys(QUANTITIES, 1.0)
    assert not any(found.causes.values())
    if race.resets:
        assert "pause" in set(trace.rows.status)


def test_a_log_loses_next_to_nothing_by_its_four_decimals() -> None:
    content, track = drive(TIME_TRIAL)
    found = compare(rounded(recorded(content)), track, DEEPRACER_V4)
    for quantity in QUANTITIES:
        if quantity != "reward":
            assert (found.share(quantity) or 0.0) >= 0.99
            assert set(found.causes[quantity]) <= {"rounding"}
    assert sum(found.undecidable.values()) < 0.02 * found.steps


def test_every_quantity_that_is_recorded_wrongly_is_counted() -> None:
    content, track = drive(TIME_TRIAL)
    trace = recorded(content)
    at = len(trace) // 2
    trace.rows.closest_waypoint[at] += 1
    trace.rows.all_wheels_on_track[at] ^= True
    trace.rows.progress[at] += 0.03
    trace.rows.track_len[at] += 0.1
    trace.rows.status[at] = "reversed"
    found = compare(trace, track, DEEPRACER_V4)
    for quantity in ("closest_waypoint", "progress", "track_length"):
        assert found.share(quantity) == 1.0 - 1.0 / len(trace)
        assert found.causes[quantity] == Counter(unexplained=1)
    assert found.share("reward") is None
    assert not found.equal["status"][at]
    assert not found.equal["all_wheels_on_track"][at]


def test_a_reward_of_another_function_is_not_explained_away(tmp_path: Path) -> None:
    content, track = drive(TIME_TRIAL, function(tmp_path, BANDS))
    found = compare(recorded(content), track, DEEPRACER_V4, function(tmp_path, GAIN))
    assert (found.share("reward") or 0.0) < 0.5
    assert set(found.causes["reward"]) == {"unexplained"}


def test_a_collision_is_put_down_to_the_object_that_was_not_recorded() -> None:
    content, track = drive(TIME_TRIAL)
    trace = recorded(content)
    last = int(np.flatnonzero(trace.runs == 0)[-2])
    trace.rows.status[last], trace.rows.done[last] = "crashed", True
    found = compare(trace, track, DEEPRACER_V4)
    assert found.causes["status"]["object"] == found.causes["done"]["object"] == 1


def test_an_episode_may_begin_anywhere_and_its_log_in_the_middle() -> None:
    content, track = drive(replace(TIME_TRIAL, start=0.123))
    trace = recorded(content)
    late = Trace(trace.path, trace.rows[5:], trace.fields, trace.rounded)
    for some in (trace, late):
        found = compare(some, track, DEEPRACER_V4)
        assert found.share("progress") == found.share("status") == 1.0


def test_on_track_means_the_hubs_of_the_originals_model_strictly_inside() -> None:
    track = find_track("oval")
    content, _ = drive(TIME_TRIAL)
    trace = recorded(content)
    _, seen = measure(trace, track, DEEPRACER_V4)
    wide = replace(DEEPRACER_V4, front_track_width=3.0)
    _, never = measure(trace, track, wide)
    assert seen.all_wheels_on_track.any()
    assert not never.all_wheels_on_track.any()


def test_judging_does_not_change_what_was_measured() -> None:
    content, track = drive(FLYING, steps=1200)
    trace = recorded(content)
    motion, seen = measure(trace, track, DEEPRACER_V4)
    before = motion.copy(), seen.copy()
    judge(trace, track, motion, seen)
    assert motion.tolist() == before[0].tolist()
    assert seen.tolist() == before[1].tolist()


def test_a_summary_weighs_every_step_alike_and_leaves_out_unknown_rewards() -> None:
    def some(right: int, wrong: int, *, reward: bool) -> Agreement:
        equal = np.repeat([True, False], [right, wrong])
        names = [q for q in QUANTITIES if reward or q != "reward"]
        return Agreement("a", right + wrong, dict.fromkeys(names, equal), {}, {})

    first, second = some(3, 1, reward=False), some(6, 0, reward=True)
    shares = {"closest_waypoint": 0.9, "all_wheels_on_track": 0.9, "progress": 0.9}
    assert summary([first, second]) == shares | {"reward": 1.0, "steps": 10}
    assert summary([first])["reward"] is None


#: Steps of the original's recordings that disagree: closest waypoint, all wheels on track, progress, status.
DISAGREEING = {
    "v4_drfc_train": (0, 5, 0, 6),
    "v4_drfc_eval_0": (0, 0, 0, 0),
    "v4_drfc_eval_1": (0, 0, 0, 0),
    "v4_drfc_eval_2": (0, 0, 0, 0),
    "v4_fast.log": (0, 0, 1, 1),
    "v5_slow_train": (0, 0, 0, 1),
    "v5_fast_a.log": (0, 0, 0, 0),
    "v5_fast_b.log": (0, 0, 0, 0),
    "v5_fast_c.log": (1, 1, 0, 0),
    "v5_fast_d.log": (1, 0, 0, 0),
    "v5_fast_objects.log": (0, 3, 2, 25),
    "v5_reinvent.log": (1, 0, 0, 0),
    "v6_continuous_train": (0, 8, 0, 1),
    "v6_spain_eval": (0, 3, 0, 0),
    "v6_spain_train": (0, 4, 0, 1),
    "v6_posed": (0, 0, 0, 0),
}

#: Whose reward function is known: the original's default, and that of the v6 trainings, which their rewards give away.
KNOWN = {
    **dict.fromkeys([name for name in DISAGREEING if "drfc" in name], BANDS),
    **dict.fromkeys(["v5_slow_train", "v6_posed", "v6_spain_eval"], BANDS),
    **dict.fromkeys(["v6_continuous_train", "v6_spain_train"], GAIN),
}


#: Steps whose reward disagrees because it counts the wheels, which do.
MISREWARDED = {"v6_continuous_train": 6, "v6_spain_train": 1}


@original
@pytest.mark.jit
@pytest.mark.parametrize("name", DISAGREEING)
def test_the_original_told_its_reward_functions_the_same(name: str, tmp_path: Path) -> None:
    (recording,) = open_recordings([DATA / "traces" / name], DATA / "tracks")
    car: Car = recording.car
    reward = function(tmp_path, KNOWN[name]) if name in KNOWN else None
    found = compare(recording.trace, recording.track, car, reward)
    wrong = {quantity: int((~equal).sum()) for quantity, equal in found.equal.items()}
    compared = ("closest_waypoint", "all_wheels_on_track", "progress", "status")
    assert all(wrong[q] <= most for q, most in zip(compared, DISAGREEING[name], strict=True)), wrong
    assert wrong["track_length"] == 0
    assert wrong.get("reward", 0) <= MISREWARDED.get(name, 0)
    assert sum(causes["unexplained"] for causes in found.causes.values()) == 0
