import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tracks
from racer_env.car import DEEPRACER_V4, DEEPRACER_V6, DiscreteActions
from racer_env.errors import TraceError, TrackError
from racer_env.race import TIME_TRIAL
from racer_env.recorder import TraceRecorder
from racer_env.recording import open_recordings
from racer_env.simulator import Simulator
from racer_env.trace import COLUMNS, HEADER, text
from racer_env.track import Track, find_track

Write = Callable[..., Path]


@pytest.fixture
def routes(tmp_path: Path) -> Path:
    """A folder with two tracks, one of them also with a repeated point and one of equal length elsewhere."""
    folder = tmp_path / "routes"
    folder.mkdir()
    for name in ("oval", "kidney"):
        np.save(folder / f"{name}.npy", tracks.route(name))
    np.save(folder / "far_oval.npy", tracks.route("oval") + 100.0)
    return folder


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str, course: Track, fields: int = 19) -> Path:
        """A file that our own simulator records; it keeps the newest format's first fields."""
        simulator = Simulator(course, race=TIME_TRIAL, actions=DiscreteActions((0.0,), (2.0,)))
        recorder = TraceRecorder(simulator)
        simulator.reset()
        recorder.begin([0])
        action, rows = np.zeros(1, np.int64), None
        while rows is None:
            rows = next((rows for _, rows in recorder.add(simulator.step(action), action)), None)
        lines = (HEADER + text(rows, 0)).splitlines()
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(",".join(line.split(",")[:fields]) for line in lines))
        return path

    return write


def test_the_track_is_found_by_length_and_course(routes: Path, write: Write) -> None:
    for name in ("oval", "kidney"):
        path = write("a.csv", find_track(name))
        (found,) = open_recordings([path], routes)
        assert (found.name, found.track.name, found.track.is_reversed) == ("a.csv", name, False)


def test_a_track_that_was_driven_backwards_is_found_reversed(routes: Path, write: Write) -> None:
    path = write("a.csv", find_track("oval", reverse=True))
    (found,) = open_recordings([path], routes)
    assert (found.track.name, found.track.is_reversed) == ("oval", True)


@pytest.mark.parametrize("dropped", [False, True])
def test_repeated_points_are_counted_as_the_recording_counts_them(dropped: bool, routes: Path, write: Write) -> None:
    route = tracks.route("oval")
    repeated = np.insert(route, 5, route[5], axis=0)
    np.save(routes / "oval.npy", repeated)
    path = write("a.csv", Track.from_route(repeated, "oval", drop_duplicates=dropped))
    (found,) = open_recordings([path], routes)
    assert len(found.track.route) == len(repeated) - dropped


def test_a_track_that_does_not_fit_is_refused(routes: Path, write: Write, tmp_path: Path) -> None:
    path = write("a.csv", find_track("boomerang"))
    with pytest.raises(TrackError, match=r"was driven on a track of .* m; .* has far_oval .* m, kidney"):
        open_recordings([path], routes)
    elsewhere = write("b.csv", find_track("oval"))
    (routes / "oval.npy").unlink()
    with pytest.raises(TrackError, match="was not driven on far_oval, although the length"):
        open_recordings([elsewhere], routes)
    with pytest.raises(TrackError, match="nowhere: there is no such folder"):
        open_recordings([path], tmp_path / "nowhere")
    (tmp_path / "bare").mkdir()
    with pytest.raises(TrackError, match="bare: there is no route file"):
        open_recordings([path], tmp_path / "bare")
    np.save(routes / "broken.npy", np.zeros(3))
    with pytest.raises(TrackError, match=r"broken\.npy"):
        open_recordings([path], routes)


def test_the_newest_format_is_of_the_newest_car(routes: Path, write: Write) -> None:
    (found,) = open_recordings([write("a.csv", find_track("oval"))], routes)
    assert (found.version, found.car) == (6, DEEPRACER_V6)


def test_an_index_or_the_models_metadata_say_which_car_it_was(routes: Path, write: Write, tmp_path: Path) -> None:
    old = write("training-simtrace/a.csv", find_track("oval"), 17)
    with pytest.raises(TraceError, match="say it with --car"):
        open_recordings([old], routes)
    action = [{"steering_angle": 0.0, "speed": 2.0}]
    metadata = {"action_space": action, "sensor": ["FRONT_FACING_CAMERA"], "version": "4"}
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model_metadata.json").write_text(json.dumps(metadata))
    (found,) = open_recordings([old], routes)
    assert (found.version, found.car) == (4, DEEPRACER_V4)
    (old.parent / "index.csv").write_text("path,physics\na.csv,v6\n")
    (found,) = open_recordings([old], routes)
    assert found.version == 6


def test_a_car_that_is_given_is_used(routes: Path, write: Write) -> None:
    car = replace(DEEPRACER_V4, name="mine")
    (found,) = open_recordings([write("a.csv", find_track("oval"), len(COLUMNS) - 2)], routes, car)
    assert (found.car, found.version) == (car, 4)
