import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import typer
from PIL import Image
from typer.testing import CliRunner, Result

from racer_env.commands.drive import drive
from racer_env.errors import MetadataError, RacerError, RewardError, TrackError
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
    said = output("--track", "oval")
    player.join()
    assert "no lap completed; the last attempt got to" in said
    assert not pygame.display.get_init()
