"""Replays: what is recorded is what was judged, and what is written comes back."""

import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from racer_env.bodies import Kind
from racer_env.car import FRONT_POINT
from racer_env.driver import RaceResult, race
from racer_env.errors import ReplayError
from racer_env.kernel import records
from racer_env.obstacles import Bots, Obstacles
from racer_env.race import EVALUATION, Race, Status
from racer_env.recorder import TraceRecorder
from racer_env.render.autopilot import Autopilot
from racer_env.render.driving import ACTIONS
from racer_env.replay import DRIVEN, Replay
from racer_env.replay_file import MAGIC, UNITS, decode, digest, encode, read, write
from racer_env.replay_recorder import ReplayRecorder
from racer_env.simulator import Simulator
from racer_env.trace import TraceRow
from racer_env.track import Track, find_track
from tests.racer_env.test_driver import METADATA, FollowState, Sleepy

SHORT = replace(EVALUATION, time_limit=6.0)


def drive(track: Track, rules: Race, n: int = 1, speed: float = 2.8) -> list[Replay]:
    simulator = Simulator(track, race=rules, n=n, actions=ACTIONS)
    recorder, pilot, over = ReplayRecorder(), Autopilot(track, speed), np.zeros(simulator.n, np.bool_)
    simulator.reset()
    recorder(simulator, None)
    while not over.all():
        step = simulator.step(pilot.commands(simulator))
        recorder(simulator, step)
        over |= step.done
    return recorder.replays()


@pytest.fixture(scope="module")
def crowd(oval: Track) -> Replay:
    """Three cars among two boxes and a bot car."""
    return drive(oval, replace(SHORT, cars=3, obstacles=Obstacles(2), bots=Bots(1)))[0]


@pytest.fixture(scope="module")
def sleepy(oval: Track) -> tuple[Replay, RaceResult]:
    """A race with penalties."""
    recorder = ReplayRecorder(["sleepy"])
    result = race(Sleepy(2.0), oval, METADATA, replace(EVALUATION, laps=2, time_limit=40.0), watch=recorder)
    return recorder.replays()[0], result


def same(one: Replay, other: Replay) -> bool:
    return (
        one.header == other.header
        and all(np.array_equal(one.driven[name], other.driven[name]) for name in DRIVEN.names or ())
        and all(np.array_equal(one.things[name], other.things[name]) for name in one.things.dtype.names or ())
        and np.array_equal(one.route, other.route)
    )


def test_a_frame_is_what_a_row_of_simtrace_is(oval: Track) -> None:
    simulator = Simulator(oval, race=SHORT, actions=ACTIONS)
    recorder, pilot = ReplayRecorder(), Autopilot(oval)
    simulator.reset()
    recorder(simulator, None)
    trace = TraceRecorder(simulator)
    trace.begin([0])
    rows: list[TraceRow] = []
    while not rows:
        step = simulator.step(pilot.commands(simulator))
        recorder(simulator, step)
        for _, ended in trace.add(step, simulator.chosen):
            rows = ended
    replay = recorder.replays()[0]
    frames = replay.driven[:, 0]
    assert len(rows) == len(frames) > 50
    for row, frame in zip(rows, frames, strict=True):
        assert row.x == pytest.approx(frame.x + FRONT_POINT * np.cos(frame.yaw), abs=1e-9)
        assert row.y == pytest.approx(frame.y + FRONT_POINT * np.sin(frame.yaw), abs=1e-9)
        assert (row.steer, row.throttle) == (frame.steering_command, frame.speed_command)
        assert (row.progress, row.status) == (frame.progress, Status(int(frame.status)))
    assert frames.status[0] == Status.PREPARE
    assert np.ptp(frames.x) > 1.0


def test_what_is_written_comes_back_within_half_a_unit(crowd: Replay) -> None:
    back = decode(encode(crowd))
    assert back.header == crowd.header
    for frames, again in ((crowd.driven, back.driven), (crowd.things, back.things)):
        assert frames.shape == again.shape
        for name in frames.dtype.names or ():
            off = np.abs(np.asarray(frames[name], np.float64) - np.asarray(again[name], np.float64))
            whole = frames.dtype[name].kind != "f"
            assert off.max() <= (0.0 if whole else 0.5001 * UNITS[name].size), name
    assert np.ptp(crowd.driven.x) > 1.0
    assert (crowd.things.speed > 0.0).any()


def test_what_was_read_is_written_as_the_same_bytes(crowd: Replay) -> None:
    data = encode(crowd)
    assert encode(decode(data)) == data
    assert digest(decode(data)) == digest(crowd)


@given(st.lists(st.integers(-(2**31) + 1, 2**31 - 1), min_size=2, max_size=20), st.sampled_from(["pause", "resets"]))
def test_any_whole_numbers_come_back(crowd: Replay, numbers: list[int], name: str) -> None:
    frames = records((len(numbers), 1), DRIVEN)
    frames.present = True
    frames[name] = np.abs(np.array(numbers))[:, None]
    header = replace(crowd.header, racers=crowd.header.racers[:1], things=(), runs=(len(numbers),))
    one = Replay(header, frames, records((len(numbers), 0), crowd.things.dtype), np.zeros((0, 6)))
    assert same(decode(encode(one)), one)


def test_the_same_drive_gives_the_same_bytes(oval: Track, crowd: Replay) -> None:
    again = drive(oval, replace(SHORT, cars=3, obstacles=Obstacles(2), bots=Bots(1)))[0]
    assert encode(again) == encode(crowd)


def test_each_world_of_a_batch_has_the_replay_that_it_would_have_alone(oval: Track) -> None:
    rules = replace(SHORT, cars=2, time_limit=2.0)
    (alone,) = drive(oval, rules)
    batch = drive(oval, rules, n=3)
    assert len(batch) == 3
    assert all(same(one, alone) for one in batch)


def test_a_world_that_is_reset_alone_begins_a_run_and_the_others_go_on(oval: Track) -> None:
    simulator, recorder, pilot = Simulator(oval, race=SHORT, n=2, actions=ACTIONS), ReplayRecorder(), Autopilot(oval)
    simulator.reset()
    recorder(simulator, None)
    for step in range(12):
        if step == 5:
            simulator.reset([1])
            recorder(simulator, None)
        recorder(simulator, simulator.step(pilot.commands(simulator)))
    first, second = recorder.replays()
    assert (first.header.runs, second.header.runs) == ((13,), (6, 8))
    assert first.ticks.tolist() == list(range(13))
    assert second.ticks.tolist() == [*range(6), *range(8)]
    assert [frame for frame in range(len(second)) if second.driven.status[frame, 0] == Status.PREPARE] == [0, 6]


def test_a_world_that_is_over_is_not_recorded_further(oval: Track) -> None:
    simulator, recorder = Simulator(oval, race=Race(time_limit=1.0), actions=ACTIONS), ReplayRecorder()
    pilot = Autopilot(oval)
    simulator.reset()
    recorder(simulator, None)
    for _ in range(40):
        recorder(simulator, simulator.step(pilot.commands(simulator)))
    (replay,) = recorder.replays()
    assert len(replay) < 20
    assert replay.events()[-1].kind == "time_up"


def test_laps_and_events_are_those_of_the_result(sleepy: tuple[Replay, RaceResult]) -> None:
    replay, result = sleepy
    laps = replay.laps()
    assert [lap.complete for lap in laps] == [lap.complete for lap in result.laps]
    assert [lap.time_ms for lap in laps if lap.complete] == [lap.time_ms for lap in result.laps if lap.complete]
    assert [lap.time_ms for lap in laps] == pytest.approx([lap.time_ms for lap in result.laps], abs=1)
    events = replay.events()
    assert sum(event.kind == "off_track" for event in events) == sum(lap.off_track_count for lap in result.laps) > 0
    assert sum(event.put_back for event in events) == replay.driven.resets[-1, 0]
    best = replay.best_lap()
    assert (best.time_ms if best else None) == result.best_ms


def test_separate_laps_are_runs_of_their_own(oval: Track) -> None:
    recorder = ReplayRecorder()
    result = race(FollowState(2.0), oval, METADATA, Race(laps=2), watch=recorder)
    (replay,) = recorder.replays()
    assert len(replay.header.runs) == 2
    assert [lap.time_ms for lap in replay.laps()] == [lap.time_ms for lap in result.laps]
    assert [event.kind for event in replay.events()] == ["finish", "finish"]
    assert len(decode(encode(replay))) == sum(replay.header.runs)


def test_cars_that_are_out_are_not_present(crowd: Replay, oval: Track) -> None:
    (replay,) = drive(oval, replace(EVALUATION, cars=3, laps=1, time_limit=30.0))
    ends = np.count_nonzero(replay.driven.present, axis=0)
    assert len(set(ends.tolist())) > 1
    assert max(ends) == len(replay)
    assert [replay.events(car)[-1].kind for car in range(3)] == ["finish"] * 3
    assert [thing.kind for thing in crowd.header.things] == [Kind.BOX, Kind.BOX, Kind.BOT]


def test_a_lap_takes_less_than_40_kb(oval: Track) -> None:
    (replay,) = drive(oval, EVALUATION)
    assert len(replay.laps()) == 3
    assert len(encode(replay)) < 3 * 40_000 / 10  # it is far less: 1 to 6 kB


def test_a_shipped_track_is_known_by_its_name_and_any_other_is_carried(oval: Track, crowd: Replay) -> None:
    assert crowd.header.course.points == 0
    assert np.array_equal(crowd.track.route, oval.route)
    wider = np.hstack((oval.centre, oval.inner + 0.02 * (oval.inner - oval.centre), oval.outer))
    for reverse in (False, True):
        (replay,) = drive(Track.from_route(wider, "mine", reverse=reverse), replace(SHORT, time_limit=1.0))
        back = decode(encode(replay))
        assert back.track.is_reversed is reverse
        assert np.abs(back.track.route - (wider[::-1] if reverse else wider)).max() <= 0.5001e-4
        assert back.track.length == pytest.approx(oval.length, abs=0.01)
    (reversed_,) = drive(find_track("oval", reverse=True), replace(SHORT, time_limit=1.0))
    assert reversed_.header.course.points == 0
    assert decode(encode(reversed_)).track.is_reversed


def test_a_replay_of_a_track_that_changed_says_so(crowd: Replay) -> None:
    def on(**course: Any) -> Replay:
        header = replace(crowd.header, course=replace(crowd.header.course, **course))
        return decode(encode(replace(crowd, header=header)))

    with pytest.raises(ReplayError, match="another oval than the one that is here"):
        _ = on(sha256="0" * 64).track
    with pytest.raises(ReplayError, match="no shipped track"):
        _ = on(name="../../etc/passwd").track


def test_files_are_written_and_read(crowd: Replay, tmp_path: Path) -> None:
    path = tmp_path / "heat.replay"
    write(crowd, path)
    assert same(read(path), decode(encode(crowd)))
    assert [p.name for p in tmp_path.iterdir()] == ["heat.replay"]
    with pytest.raises(ReplayError, match="cannot be written"):
        write(crowd, tmp_path / "nowhere" / "heat.replay")
    with pytest.raises(ReplayError, match=r"gone\.replay: cannot be read"):
        read(tmp_path / "gone.replay")


def packed(header: bytes, columns: bytes = b"") -> bytes:
    return MAGIC + zlib.compress(len(header).to_bytes(4, "little") + header + columns)


GOOD = b'{"engine":"1","course":{"name":"oval","is_reversed":false,"sha256":"%s","points":0},"race_laps":3,' % (
    b"0" * 64
)
RACER = b'{"name":"a","sensors":[],"colour":[0,0,0]}'


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "no replay"),
        (b"\x80\x04\x95pickle", "no replay"),
        (MAGIC, "cut off"),
        (MAGIC + b"plain text", "damaged"),
        (MAGIC + zlib.compress(b"\xff\xff\xff\xff"), "header has 4294967295 bytes"),
        (MAGIC + zlib.compress(bytes(2**26)), "header"),
        (packed(b"{}"), "header cannot be used: engine"),
        (packed(b"[" * 100_000), "header cannot be used"),
        (packed(GOOD + b'"race_resets":0,"racers":[],"things":[],"runs":[1]}'), "racers"),
        (packed(GOOD + b'"race_resets":0,"racers":[%s],"things":[],"runs":[-5]}' % RACER), "runs.0"),
        (packed(GOOD + b'"race_resets":0,"racers":[%s],"things":[],"runs":[999999999]}' % RACER), "too many"),
        (packed(GOOD + b'"race_resets":0,"racers":[%s],"things":[],"runs":[2],"x":1}' % RACER), "x: "),
        (packed(GOOD + b'"race_resets":0,"racers":[%s],"things":[],"runs":[2]}' % RACER), "cut off"),
        (packed(GOOD + b'"race_resets":0,"racers":[%s],"things":[],"runs":[2]}' % RACER, bytes(200)), "follows"),
        (packed(GOOD + b'"race_resets":0,"racers":[%s],"things":[],"runs":[2]}' % RACER, bytes(112)), "not there"),
        (packed(GOOD + b'"race_resets":0,"racers":[%s],"things":[],"runs":[2]}' % RACER, b"\xfe" * 112), "reaches"),
    ],
)
def test_hostile_bytes_are_refused_with_one_sentence(data: bytes, says: str) -> None:
    with pytest.raises(ReplayError, match=says) as refused:
        decode(data, "bad.replay")
    assert str(refused.value).startswith("bad.replay: ")
    assert len(str(refused.value)) < 300


def test_damaged_bytes_never_raise_anything_else(crowd: Replay) -> None:
    data, chance = encode(crowd), np.random.default_rng(1)
    refused = 0
    for _ in range(150):
        hurt = bytearray(data[: int(chance.integers(1, len(data) + 1))] if chance.random() < 0.3 else data)
        for place in chance.integers(0, len(hurt), chance.integers(1, 4)):
            hurt[place] ^= 1 << int(chance.integers(0, 8))
        try:
            decode(bytes(hurt))
        except ReplayError:
            refused += 1
    assert refused > 140  # zlib's checksum sees what the format does not


def test_names_that_could_not_be_read_are_not_written(crowd: Replay) -> None:
    racers = (replace(crowd.header.racers[0], name="two\nlines"), *crowd.header.racers[1:])
    with pytest.raises(ReplayError, match=r"racers\.0\.name"):
        encode(replace(crowd, header=replace(crowd.header, racers=racers)))
    crowd.driven.x[0, 0], kept = np.nan, float(crowd.driven.x[0, 0])
    try:
        with pytest.raises(ReplayError, match="x holds a number that a replay cannot keep: nan"):
            encode(crowd)
    finally:
        crowd.driven.x[0, 0] = kept
