"""What the simulator drives is recorded as the original would have recorded it."""

import csv
import io
from typing import Any

import numpy as np
import pytest

from racer_env.car import COMMAND, ActionSpace
from racer_env.driver import PurePursuit
from racer_env.kernel import COMPILED, Ints, records
from racer_env.metadata import DEFAULT_ACTIONS
from racer_env.race import TIME_TRIAL, Race
from racer_env.recorder import TraceRecorder
from racer_env.reward import RewardFunction
from racer_env.simulator import Simulator
from racer_env.trace import COLUMNS, HEADER, TraceRow, text
from racer_env.track import find_track

STEPS = 160 if COMPILED else 80


def recorded(n: int, actions: Any, race: Race = TIME_TRIAL, space: ActionSpace = DEFAULT_ACTIONS) -> Any:
    """Drive actions (steps, n, ...); gives what was told step by step, and finished episodes as (car, rows)."""
    reward = RewardFunction.of(lambda params: params["steps"] / 7.0, n)
    world = Simulator(find_track("oval"), race=race, n=n, actions=space, reward=reward)
    recorder = TraceRecorder(world)
    world.reset()
    recorder.begin(range(n))
    told: list[list[dict[str, Any]]] = [[] for _ in range(n)]
    finished: list[tuple[int, list[dict[str, str]]]] = []
    for action in actions:
        step = world.step(action)
        for car, params in enumerate(world.params()):
            told[car].append(params | {"reward": float(step.rewards[car]), "done": bool(step.done[car])})
        for car, rows in recorder.add(step, action):
            finished.append((car, parsed(text(rows, len(finished)))))
        ended = np.flatnonzero(step.done)
        world.reset(ended)
        recorder.begin(ended)
    assert finished
    return told, finished


def parsed(lines: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(HEADER + lines)))


def left_and_right(n: int) -> Ints:
    return np.random.default_rng(9).integers(0, 5, (STEPS // 8, n)).repeat(8, axis=0)


def test_every_episode_stands_whole_from_its_prepare_step_to_its_end() -> None:
    _, finished = recorded(4, left_and_right(4))
    assert [int(rows[0]["episode"]) for _, rows in finished] == list(range(len(finished)))
    for _, rows in finished:
        assert [float(row["steps"]) for row in rows] == [k + 1.0 for k in range(len(rows))]
        assert [row["done"] for row in rows] == ["False"] * (len(rows) - 1) + ["True"]
        assert [row["episode_status"] for row in rows[:2]] == ["prepare", "in_progress"]
        assert (rows[0]["reward"], rows[-1]["episode_status"]) == ("0.0", "off_track")
        assert np.diff([float(row["tstamp"]) for row in rows]) == pytest.approx(1.0 / 15.0)


def test_rows_hold_what_the_reward_function_was_told() -> None:
    told, finished = recorded(3, left_and_right(3))
    seen = [0, 0, 0]
    for car, rows in finished:
        for row in rows[1:]:
            params = told[car][seen[car]]
            seen[car] += 1
            for column, key in (
                ("steps", "steps"),
                ("X", "x"),
                ("Y", "y"),
                ("yaw", "heading"),
                ("steer", "steering_angle"),
                ("throttle", "speed"),
                ("reward", "reward"),
                ("progress", "progress"),
                ("track_len", "track_length"),
                ("tstamp", "sim_time"),
            ):
                assert float(row[column]) == params[key], column
            for key in ("all_wheels_on_track", "done"):
                assert row[key] == str(params[key])
            assert int(row["closest_waypoint"]) in params["closest_waypoints"]
    assert min(seen) > 10


def test_actions_are_written_as_an_index_or_as_both_numbers() -> None:
    actions = left_and_right(1)
    _, finished = recorded(1, actions)
    rows = finished[0][1]
    assert [int(row["action"]) for row in rows[1:]] == actions[: len(rows) - 1, 0].tolist()
    _, finished = recorded(1, np.full((STEPS, 1, 2), 0.5), space=PurePursuit.actions)
    for row in finished[0][1][1:]:
        assert row["action"] == f"[{row['steer']} {row['throttle']}]"


def test_commands_of_cars_that_differ_in_their_actions_are_written_as_numbers() -> None:
    commands = records(1, COMMAND)
    commands.steering_degrees, commands.speed = 30.0, 2.0
    _, finished = recorded(1, [commands] * STEPS)
    assert {row["action"] for row in finished[0][1][1:]} == {"[30.0 2.0]"}


def test_each_of_several_cars_is_recorded_once_and_to_its_own_end() -> None:
    world = Simulator(find_track("oval"), race=Race(cars=2), n=2)
    recorder, ends, lengths = TraceRecorder(world), dict[int, int](), dict[int, int]()
    world.reset()
    recorder.begin(range(world.n))
    actions = np.array([4, 2, 2, 0])  # the first and the last turn off at once, the others go straight on
    for k in range(STEPS):
        step = world.step(actions)
        for car, rows in recorder.add(step, actions):
            assert car not in ends
            ends[car], lengths[car] = k, len(rows)
    assert len(ends) == world.n
    assert len(set(ends.values())) > 1
    assert lengths == {car: k + 2 for car, k in ends.items()}


def test_the_length_of_the_track_is_that_of_each_cars_own() -> None:
    tracks = [find_track("oval"), find_track("kidney")]
    world = Simulator(tracks, n=8)
    recorder = TraceRecorder(world)
    world.reset()
    recorder.begin(range(world.n))
    found: dict[int, list[TraceRow]] = {}
    for _ in range(STEPS):
        found |= dict(recorder.add(world.step(np.full(8, 2)), np.full(8, 2)))
    assert {rows[0].track_len for rows in found.values()} == {track.length for track in tracks}
    for car, rows in found.items():
        assert {row.track_len for row in rows} == {world.track_of(car).length}


def test_a_penalty_is_recorded_as_it_runs_out() -> None:
    _, finished = recorded(1, np.full((STEPS, 1), 4), Race(resets=1, off_track_penalty=1.0))
    rows = finished[0][1]
    off = next(k for k, row in enumerate(rows) if row["episode_status"] == "off_track")
    assert [row["episode_status"] for row in rows[off : off + 16]] == ["off_track", *["pause"] * 14, "in_progress"]
    left = [float(row["pause_duration"]) for row in rows[off : off + 16]]
    assert left == pytest.approx([*(k / 15.0 for k in range(14, -1, -1)), 0.0])
    assert [row["reward"] for row in rows[off + 1 : off + 15]] == ["0.0"] * 14
    assert rows[-1]["episode_status"] == "off_track"


def test_the_columns_are_those_of_the_newest_simulator(shared: Any) -> None:
    with (shared / "data/traces/v6_spain_eval/0-iteration.csv").open() as file:
        assert file.readline().strip() == HEADER.strip() == ",".join(COLUMNS)
