"""Replays as pictures: they show what the race showed, and become files that players open."""

import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from racer_env.driver import race
from racer_env.errors import RacerError, ReplayError
from racer_env.obstacles import Bots, Obstacles
from racer_env.race import EVALUATION, Race
from racer_env.render import palette, video
from racer_env.render.autopilot import Autopilot
from racer_env.render.driving import ACTIONS
from racer_env.render.heat_picture import draw_heat
from racer_env.render.replay_export import export
from racer_env.render.replay_scene import ReplayScene
from racer_env.render.scene import SIZE, Scene
from racer_env.render.timing_tower import cut, standings, tower_height
from racer_env.render.video import write_gif
from racer_env.replay import Replay
from racer_env.replay_file import MAGIC, decode, encode
from racer_env.replay_recorder import ReplayRecorder
from racer_env.sensors import find_sensors
from racer_env.simulator import Simulator, Step
from racer_env.track import Track
from tests.racer_env.test_driver import METADATA, Sleepy

CAMERA = "FRONT_FACING_CAMERA"


def frames_and_replay(track: Track, rules: Race, steps: int, car: int = 0) -> tuple[list[video.Frame], Replay]:
    """What a race's own scene shows before each step, and the replay as it is read from a file."""
    simulator = Simulator(track, race=rules, sensors=find_sensors([CAMERA]), actions=ACTIONS)
    recorder, pilot = ReplayRecorder(), Autopilot(track)
    simulator.reset()
    recorder(simulator, None)
    scene, shown = Scene(simulator, car), []
    for _ in range(steps):
        shown.append(scene.draw())
        recorder(simulator, simulator.step(pilot.commands(simulator)))
    return shown, decode(encode(recorder.replays()[0]))


@pytest.fixture(scope="module")
def boxes(oval: Track) -> tuple[list[video.Frame], Replay]:
    return frames_and_replay(oval, replace(EVALUATION, obstacles=Obstacles(3), bots=Bots(1)), 40)


@pytest.fixture(scope="module")
def three(oval: Track) -> Replay:
    recorder, pilot = ReplayRecorder(["first", "second", "third"]), Autopilot(oval)
    simulator = Simulator(oval, race=replace(EVALUATION, cars=3, laps=1), actions=ACTIONS)
    simulator.reset()
    recorder(simulator, None)
    over = np.zeros(3, np.bool_)
    while not over.all():
        step = simulator.step(pilot.commands(simulator))
        recorder(simulator, step)
        over |= step.done
    return recorder.replays()[0]


def test_a_replay_shows_what_the_race_showed(boxes: tuple[list[video.Frame], Replay]) -> None:
    shown, replay = boxes
    scene = ReplayScene(replay)
    again = [scene.draw(frame) for frame in range(len(replay))]
    assert len(again) == len(shown) + 1
    for before, now in zip(shown, again[1:], strict=True):  # frame k is what step k judged: the poses before it
        seen = np.s_[16:208, SIZE[0] - 272 : SIZE[0] - 16]  # what the camera saw
        on_map = np.s_[50:560, 0 : SIZE[0] - 288]
        for part, most in ((seen, 0.5), (on_map, 0.05)):
            assert np.abs(before[part].astype(int) - now[part]).mean() < most
    assert not np.array_equal(again[5], again[35])


def test_without_a_camera_the_road_around_the_car_is_shown(boxes: tuple[list[video.Frame], Replay]) -> None:
    _, replay = boxes
    seen, around = (ReplayScene(replay, camera=camera).draw(20) for camera in (True, False))
    inset = np.s_[30:194, SIZE[0] - 258 : SIZE[0] - 30]
    assert np.ptp(seen[inset].astype(int), axis=2).max() == 0  # grey, as the driver sees it
    assert np.ptp(around[inset].astype(int), axis=2).max() > 100


@pytest.mark.jit
def test_a_moment_looks_as_in_the_video(boxes: tuple[list[video.Frame], Replay]) -> None:
    _, replay = boxes
    frames = list(ReplayScene(replay).frames())
    assert np.array_equal(ReplayScene(replay).draw_at(30), frames[30])
    every_seventh = list(ReplayScene(replay).frames(7))
    assert len(every_seventh) == 7
    assert np.array_equal(every_seventh[-1], frames[-1])
    assert np.array_equal(every_seventh[3], frames[21])


def test_the_strip_orders_cars_by_time_once_they_finished_and_by_way_before(three: Replay) -> None:
    begun, over = standings(three, 30), standings(three, len(three) - 1)
    assert begun[0].says == "leads"
    assert [line.says.endswith(" m") for line in begun] == [False, True, True]
    times = [sum(lap.time_ms for lap in three.laps(line.car)) for line in over]
    assert times == sorted(times)
    assert all(line.says.startswith("00:") for line in over)
    scene = ReplayScene(three, 1)
    assert scene.draw(30).shape == (SIZE[1] + tower_height(3), SIZE[0], 3)
    assert cut("a name that is much too long", 15, 100.0).endswith("...")


def test_a_car_that_has_finished_is_gone_from_the_picture(three: Replay) -> None:
    first = standings(three, len(three) - 1)[0].car
    follow = (first + 1) % 3
    colour = np.round(255 * np.array(three.header.racers[first].colour)).astype(int)
    ends = int(np.count_nonzero(three.driven.present[:, first]))

    def seen(frame: int) -> int:
        picture = ReplayScene(three, follow, camera=False).draw(frame)[50:560, : SIZE[0] - 288].astype(int)
        return int((np.abs(picture - colour).max(axis=2) < 25).sum())

    assert seen(ends + 1) < seen(ends - 10)


def test_a_race_as_one_picture_has_a_line_of_each_car(three: Replay) -> None:
    pixels = np.asarray(draw_heat(three, "final")).astype(int)
    for racer in three.header.racers[1:]:
        colour = np.round(255 * np.array(racer.colour)).astype(int)
        assert (np.abs(pixels - colour).max(axis=2) < 30).sum() > 400


def test_files_are_what_their_ending_says(three: Replay, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    export(three, tmp_path / "a.gif", 2, pace=8.0, progress=lambda *now: told.append(now))
    export(three, tmp_path / "whole.png")
    export(three, tmp_path / "moment.png", at=2.0)
    with Image.open(tmp_path / "a.gif") as gif:
        assert (gif.format, gif.size[0]) == ("GIF", 640)
        durations = [frame.info["duration"] for frame in ImageSequence.Iterator(gif)]
        accent = np.abs(np.asarray(gif.convert("RGB")).astype(int) - palette.ACCENT).max(axis=2) < 20
    assert len(durations) > 10
    assert accent.sum() > 20  # the followed car has kept its colour
    lasts = sum(durations)
    assert lasts / 1000.0 == pytest.approx(len(three) / 15 / 8 + 1.5, rel=0.1)
    assert told[-1][0] == told[-1][1] == len(told)
    sizes = []
    for name in ("whole.png", "moment.png"):
        with Image.open(tmp_path / name) as picture:
            sizes.append(picture.size)
    assert sizes == [(1100, 720 + tower_height(3)), (SIZE[0], SIZE[1] + tower_height(3))]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.gif", "moment.png", "whole.png"]


@pytest.mark.jit
def test_an_mp4_can_be_read_back_frame_by_frame(boxes: tuple[list[video.Frame], Replay], tmp_path: Path) -> None:
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    _, replay = boxes
    export(replay, tmp_path / "a.mp4")
    asked = [ffmpeg.get_ffmpeg_exe(), "-i", tmp_path / "a.mp4", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    read = subprocess.run(asked, capture_output=True, check=True)
    assert b"h264" in read.stderr
    assert b" 15 fps" in read.stderr
    pictures = np.frombuffer(read.stdout, np.uint8).reshape(-1, SIZE[1], SIZE[0], 3)
    assert len(pictures) == len(replay) + round(1.5 * 15)
    drawn = ReplayScene(replay).draw_at(30)
    assert np.abs(pictures[30].astype(int) - drawn).mean() < 3.0
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def test_without_ffmpeg_one_sentence_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['imageio_ffmpeg'] = None\n"
        "from pathlib import Path\nfrom racer_env.render.video import write_mp4\n"
        f"write_mp4([], Path({str(tmp_path / 'a.mp4')!r}), (2, 2), 15.0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert 'pip install "racer18[video]"' in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_video_that_ffmpeg_cannot_finish_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("imageio_ffmpeg")
    monkeypatch.setattr(video, "_H264", (*video._H264, "-bsf:v", "no_such_filter"))
    frame = np.zeros((4, 4, 3), np.uint8)
    with pytest.raises(RacerError, match=r"a\.mp4 cannot be written; ffmpeg stopped: .*\w"):
        video.write_mp4([frame] * 300, tmp_path / "a.mp4", (4, 4), 15.0)
    assert not list(tmp_path.iterdir())


def test_a_video_that_is_interrupted_leaves_nothing(tmp_path: Path) -> None:
    pytest.importorskip("imageio_ffmpeg")

    def frames() -> Iterator[video.Frame]:
        yield np.zeros((4, 4, 3), np.uint8)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        video.write_mp4(frames(), tmp_path / "a.mp4", (4, 4), 15.0)
    with pytest.raises(KeyboardInterrupt):
        write_gif(frames(), tmp_path / "a.gif", 4, 15.0)
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_drawn_is_said(three: Replay, tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match="cars 1 to 3, but no car 4"):
        export(three, tmp_path / "a.png", 3)
    with pytest.raises(RacerError, match=r"must end in \.mp4, \.gif or \.png"):
        export(three, tmp_path / "a.avi")
    with pytest.raises(RacerError, match=r"must end in \.png"):
        export(three, tmp_path / "a.gif", at=1.0)
    for pace in (0.0, 17.0, float("nan")):
        with pytest.raises(RacerError, match=r"pace must be from 0\.0625 to 16"):
            export(three, tmp_path / "a.gif", pace=pace)
    for at in (-1.0, 1e9, float("nan")):
        with pytest.raises(ReplayError, match="the replay lasts from 0 to"):
            export(three, tmp_path / "a.png", at=at)
    for name in ("a.gif", "a.mp4", "a.png"):
        with pytest.raises(RacerError, match="cannot be written"):
            export(three, tmp_path / "nowhere" / name)
    far = decode(encode(three))
    far.driven.x[3, 1] += 500.0
    with pytest.raises(ReplayError, match="more than 10 m away from oval"):
        ReplayScene(far)


def test_the_numbers_beside_the_map_are_those_of_the_race(oval: Track) -> None:
    names = ("number", "steps", "laps", "lap_start", "off_track_count", "crash_count", "resets", "done")
    recorder, noted = ReplayRecorder(), list[tuple[float, ...]]()

    def watch(simulator: Simulator, step: Step | None) -> None:
        recorder(simulator, step)
        noted.append(tuple(float(simulator.state.episode[name][0]) for name in names))

    race(Sleepy(2.0), oval, METADATA, replace(EVALUATION, laps=2, continuous=False, time_limit=30.0), watch=watch)
    (replay,) = recorder.replays()
    scene = ReplayScene(replay)
    assert len(noted) == len(replay)
    for frame, wanted in enumerate(noted):
        scene.look(frame)
        shown = [float(scene.simulator.state.episode[name][0]) for name in names]
        assert shown == pytest.approx(wanted, abs=1e-2), frame
    assert {row[4] for row in noted} >= {0.0, 1.0}
    assert {row[0] for row in noted} == {0.0, 1.0}


@pytest.mark.jit
def test_what_a_changed_file_still_tells_can_be_shown(three: Replay) -> None:
    content, chance, accepted = bytearray(zlib.decompress(encode(three)[len(MAGIC) :])), np.random.default_rng(2), 0
    header = 4 + int.from_bytes(content[:4], "little")
    for _ in range(100):
        hurt = content.copy()
        hurt[int(chance.integers(header, len(hurt)))] = int(chance.integers(0, 256))
        try:
            replay = decode(MAGIC + zlib.compress(hurt, 1))
        except ReplayError:
            continue
        accepted += 1
        assert decode(encode(replay)).header == replay.header
        for car in range(3):
            replay.laps(car), replay.events(car), standings(replay, len(replay) - 1)
        if accepted % 8 == 1:
            with suppress(ReplayError):
                ReplayScene(replay, camera=False).draw(int(chance.integers(0, len(replay))))
    assert accepted > 20
