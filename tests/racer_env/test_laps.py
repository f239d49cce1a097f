import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from racer_env.car import DEEPRACER_V4, DEEPRACER_V6, Car
from racer_env.driver import PurePursuit
from racer_env.laps import Lap, drive_again, summary
from racer_env.race import Race
from racer_env.recorder import TraceRecorder
from racer_env.recording import Recording, open_recordings
from racer_env.simulator import Simulator
from racer_env.trace import HEADER, Trace, parse, text
from racer_env.track import find_track


def recorded(car: Car, race: Race, speed: float = 1.2, most: int = 2000) -> Recording:
    """A run of our own simulator along the centre line of `oval`."""
    track = find_track("oval")
    driver = PurePursuit(track, speed, look_ahead=1.0)
    simulator = Simulator(track, car, race, actions=driver.actions)
    recorder, rows = TraceRecorder(simulator), None
    simulator.reset()
    recorder.begin([0])
    for _ in range(most):
        actions = driver.commands(simulator)
        rows = next((rows for _, rows in recorder.add(simulator.step(actions), actions)), None)
        if rows:
            break
    assert rows
    return Recording(parse(HEADER + text(rows, 0), Path("own.csv")), track, car, car.version)


@pytest.fixture(scope="module")
def lap() -> Recording:
    return recorded(DEEPRACER_V6, Race())


def without(recording: Recording, rows: slice) -> Recording:
    """The recording with only some rows."""
    trace = recording.trace
    return replace(recording, trace=Trace(trace.path, trace.rows[rows], trace.fields, trace.rounded))


@pytest.mark.parametrize("car", [DEEPRACER_V4, DEEPRACER_V6], ids=lambda car: car.name)
def test_a_lap_of_our_own_takes_as_long_when_it_is_driven_anew(car: Car) -> None:
    (found,) = drive_again(recorded(car, Race()))
    assert found.recorded > 10.0
    assert found.ratio == pytest.approx(1.0, abs=0.02)
    assert found.line == pytest.approx(find_track("oval").length, rel=0.1)
    assert found.way == pytest.approx(found.line, rel=0.02)


def test_flying_laps_are_compared_one_by_one() -> None:
    recording = recorded(DEEPRACER_V6, Race(laps=2, continuous=True))
    laps = drive_again(recording)
    assert [found.recording for found in laps] == ["own.csv"] * 2
    assert sum(found.recorded for found in laps) == pytest.approx(np.ptp(recording.trace.rows.tstamp))
    for found in laps:
        assert found.ratio == pytest.approx(1.0, abs=0.02)


def test_a_quicker_car_is_that_much_quicker(lap: Recording) -> None:
    (found,) = drive_again(lap, replace(lap.car, wheel_gain=1.1 * lap.car.wheel_gain))
    assert found.ratio == pytest.approx(1.0 / 1.1, abs=0.02)


def test_standing_still_takes_as_long_as_it_was_recorded(lap: Recording) -> None:
    (before,) = drive_again(lap)
    rows = lap.trace.rows.copy()
    half = len(rows) // 2
    penalty = np.repeat(rows[half : half + 1], 30)
    penalty["status"] = "pause"
    penalty["tstamp"] += np.arange(1, 31) / 15.0
    after = rows[half + 1 :].copy()
    after["tstamp"] += 2.0
    held = np.concatenate((rows[: half + 1], penalty, after)).view(np.recarray)
    held.steps = np.arange(len(held))
    trace = Trace(lap.trace.path, held, lap.trace.fields, lap.trace.rounded)
    (found,) = drive_again(replace(lap, trace=trace))
    assert found.recorded == pytest.approx(before.recorded + 2.0)
    assert found.driven == pytest.approx(before.driven + 2.0, abs=0.3)  # and it starts from rest


def test_a_car_that_loses_the_line_never_arrives(lap: Recording) -> None:
    (found,) = drive_again(lap, replace(lap.car, steering_gain=0.1))
    assert found.driven == math.inf
    assert found.ratio == math.inf


def test_without_a_complete_lap_there_is_nothing_to_drive(lap: Recording) -> None:
    assert drive_again(without(lap, slice(0, 50))) == []
    assert summary([]) == {}


def test_a_lap_without_stamps_is_timed_by_its_steps(lap: Recording) -> None:
    lines = lap.trace.text().splitlines()
    old = parse("\n".join(",".join(line.split(",")[:14]) for line in lines), Path("old.csv"))
    (found,) = drive_again(replace(lap, trace=old))
    (stamped,) = drive_again(lap)
    assert found.recorded == pytest.approx(stamped.recorded)
    old.rows.tstamp = 0.0
    assert drive_again(replace(lap, trace=old)) == []


def test_a_summary_tells_the_middle_and_both_ends() -> None:
    laps = [Lap("a", 10.0, driven, 20.0, 19.0) for driven in (9.0, 10.0, 12.0)]
    ratio = {"median": 1.0, "least": 0.9, "most": 1.2}
    assert summary(laps) == {"laps": 3, "recorded_s": 10.0, "driven_s": 10.0, "ratio": ratio, "way": 0.95}


#: Evaluation laps that the original recorded on re:Invent 2018, by generation.
EVALUATIONS = {
    4: ("v4_drfc_eval_0", "v4_drfc_eval_1", "v4_drfc_eval_2"),
    5: ("v5_reinvent.log",),
    6: ("v6_posed",),
}


@pytest.mark.jit
@pytest.mark.parametrize("version", EVALUATIONS)
def test_lap_times_of_the_original_are_met_within_five_percent(version: int, shared: Path) -> None:
    paths = [shared / "data" / "traces" / name for name in EVALUATIONS[version]]
    recordings = open_recordings(paths, shared / "data" / "tracks")
    laps = [found for recording in recordings for found in drive_again(recording)]
    assert len(laps) == {4: 9, 5: 18, 6: 2}[version]
    assert summary(laps)["ratio"]["median"] == pytest.approx(1.0, abs=0.05)
    for found in laps:
        assert found.ratio == pytest.approx(1.0, abs=0.06)
