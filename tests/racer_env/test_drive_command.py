import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner, Result

from racer_env.bundle import Bundle
from racer_env.car import DEEPRACER_V4, DEEPRACER_V6, DiscreteActions
from racer_env.commands.drive import drive
from racer_env.errors import MetadataError, RacerError, RewardError, TrackError
from racer_env.metadata import ModelMetadata
from racer_env.policy_graph import Convolution, Dense, Embedder, Policy, policy_graph
from racer_env.render import window
from racer_env.render.scene import SIZE

pygame = vars(window)["pygame"]  # the window imports it silently

app = typer.Typer()
app.command()(drive)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def output(*arguments: str | Path) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


def test_frames_are_saved_without_a_screen(tmp_path: Path) -> None:
    said = output("--track", "oval", "--camera", "--frames", "4", "--save", tmp_path / "new" / "folder")
    assert "4 pictures in" in said
    assert "no lap completed" in said
    files = sorted((tmp_path / "new" / "folder").iterdir())
    assert [file.name for file in files] == [f"frame_{i:05d}.png" for i in range(1, 5)]
    with Image.open(files[-1]) as picture:
        assert picture.size == SIZE
    assert files[0].read_bytes() != files[-1].read_bytes()


def test_a_reward_function_is_called_and_its_prints_are_shown(tmp_path: Path) -> None:
    file = tmp_path / "reward_function.py"
    file.write_text("def reward_function(params):\n    print('steps', params['steps'])\n    return 1.0\n")
    said = output("--reward", file, "--frames", "2", "--save", tmp_path)
    assert said.splitlines()[:2] == ["steps 2.0", "steps 3.0"]


def test_a_broken_reward_function_is_blamed_before_the_first_step(tmp_path: Path) -> None:
    file = tmp_path / "reward_function.py"
    file.write_text("def reward_function(params):\n    return params['sped']\n")
    error = run("--reward", file, "--frames", "2", "--save", tmp_path / "out").exception
    assert isinstance(error, RewardError)
    assert "reward_function.py:2" in str(error)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [(("--frames", "3"), "--frames needs --save FOLDER"), (("--save", "here"), "--save needs --frames N")],
)
def test_frames_need_a_folder_and_a_folder_needs_frames(arguments: tuple[str, ...], sentence: str) -> None:
    error = run(*arguments).exception
    assert isinstance(error, RacerError)
    assert sentence in str(error)


def test_what_does_not_exist_is_refused_with_a_sentence(tmp_path: Path) -> None:
    assert isinstance(run("--track", "ovall").exception, TrackError)
    assert isinstance(run("--car", "deepracer_v3").exception, MetadataError)
    (tmp_path / "file").write_text("")
    error = run("--frames", "1", "--save", tmp_path / "file").exception
    assert isinstance(error, RacerError)
    assert "cannot be made a folder" in str(error)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is always a screen to ask for")
def test_without_a_screen_the_command_says_so_and_exits_with_2() -> None:
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER")}
    code = "from racer_env.cli import main; import sys; sys.argv = ['racer', 'drive']; main()"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)
    assert said.returncode == 2, said.stderr
    assert said.stderr.count("\n") == 1
    assert "there is no screen" in said.stderr
    assert "--frames" in said.stderr


def test_driving_by_hand_ends_when_the_window_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")

    def play() -> None:
        deadline = time.monotonic() + 20.0
        while not pygame.display.get_init() and time.monotonic() < deadline:
            time.sleep(0.01)
        for key, after in ((pygame.K_UP, 1.0), (pygame.K_r, 0.3), (pygame.K_ESCAPE, 0.0)):
            pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key))
            time.sleep(after)

    player = threading.Thread(target=play)
    player.start()
    said = output("--track", "oval", "--race", "object_avoidance", "--sensor", "LIDAR")
    player.join()
    assert "no lap completed; the last attempt got to" in said
    assert not pygame.display.get_init()


@pytest.mark.parametrize("race", ["object_avoidance", "head_to_bot", "head_to_head"])
def test_every_type_of_race_can_be_driven(race: str, tmp_path: Path) -> None:
    assert "2 pictures in" in output("--race", race, "--frames", "2", "--save", tmp_path / race)
    alone = output("--frames", "2", "--save", tmp_path / "alone")
    assert "2 pictures in" in alone
    assert (tmp_path / race / "frame_00002.png").read_bytes() != (tmp_path / "alone" / "frame_00002.png").read_bytes()


def test_numbers_of_boxes_bot_cars_and_rivals_are_obeyed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen = []
    monkeypatch.setattr("racer_env.commands.drive._film", lambda made, *_: seen.append(made.simulator))
    film = ("--frames", "1", "--save", tmp_path)
    output("--obstacles", "3", "--bots", "2", "--rivals", "4", "--sensor", "LIDAR", "--sensor", "LIDAR", *film)
    output("--race", "head_to_bot", "--lane-changes", "--random-places", "--seed", "7", *film)
    first, second = seen
    assert np.bincount(first.state.bodies.kind[0]).tolist() == [0, 5, 2, 3]
    assert [sensor.name for sensor in first.sensors] == ["LIDAR"]
    assert (first.race.laps, first.race.off_track_penalty) == (3, 5.0)
    assert second.race.bots.lane_changes
    assert second.race.bots.random
    assert second.seed == 7


def test_a_trained_driver_can_be_raced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One that always chooses its second action."""
    look = Convolution(np.zeros((4, 1, 40, 40)), np.zeros(4), 50)
    policy = Policy(
        (Embedder("FRONT_FACING_CAMERA", (look,)),), (), Dense(np.zeros((2, 24)), np.array([0.0, 1.0])), "softmax"
    )
    metadata = ModelMetadata(DiscreteActions((-30.0, 7.0), (1.0, 2.5)), version=4.0)
    Bundle(metadata, policy_graph(policy), "rival").write(tmp_path / "rival.tar.gz")
    seen: list[Any] = []
    monkeypatch.setattr("racer_env.commands.drive._film", lambda made, *_: seen.append(made))
    output("--rivals", "2", "--against", tmp_path / "rival.tar.gz", "--frames", "1", "--save", tmp_path)
    simulator, rivals, show_camera = seen[0]
    simulator.reset()
    commands = rivals(simulator)
    assert commands.steering_degrees.tolist() == [7.0] * 3
    assert commands.speed.tolist() == [2.5] * 3
    assert not show_camera
    assert simulator.cars.steering_lag.tolist() == [car.steering_lag for car in (DEEPRACER_V6, *[DEEPRACER_V4] * 2)]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--race", "object_avoidence"), "no race is called 'object_avoidence'; did you mean 'object_avoidance'?"),
        (("--race", "head_to_hed"), "did you mean 'head_to_head'?"),
        (("--race", "object_avoidance", "--obstacles", "60"), "do not fit on a track of 17.0 m; at most 47 do"),
        (("--lane-changes",), "need bot cars"),
        (("--bots", "2", "--bot-speed", "9"), "bot cars drive 0 to 4 m/s, not 9.0"),
        (("--random-places",), "needs something to place"),
        (("--against", "b.tar.gz"), "--against needs a rival: add --race head_to_head or --rivals N"),
        (("--rivals", "1", "--against", "b.tar.gz"), "b.tar.gz cannot be read"),
        (("--sensor", "LIDER"), "no sensor is called 'LIDER'; did you mean 'LIDAR'?"),
        (("--track", "random:x"), "random:42"),
    ],
)
def test_what_cannot_be_raced_is_said_in_one_sentence(
    arguments: tuple[str, ...], sentence: str, tmp_path: Path
) -> None:
    error = run(*arguments, "--frames", "1", "--save", tmp_path / "none").exception
    assert isinstance(error, RacerError)
    assert sentence in str(error)
    assert "\n" not in str(error)
    assert not (tmp_path / "none").exists()
