"""The command line as a whole: what it costs, and how it answers mistakes."""

from __future__ import annotations

import subprocess
import sys

import pytest


def racer(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "racer_env.cli", *words], capture_output=True, text=True, timeout=120, check=False
    )


def loaded(code: str) -> set[str]:
    code += "; import sys; print(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_importing_the_package_loads_no_learner_no_window_and_no_database() -> None:
    assert not {"torch", "stable_baselines3", "pygame", "sqlalchemy", "numba"} & loaded("import racer_env")


@pytest.mark.parametrize("command", ["--help", "tracks list", "league --help", "train --help"])
def test_a_command_loads_only_what_it_needs(command: str) -> None:
    words = ["racer", *command.split()]
    code = (
        f"import contextlib, sys; sys.argv = {words}; from racer_env.cli import main\n"
        "with contextlib.suppress(SystemExit):\n    main()\n"
        "print('modules:', *sys.modules)"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    modules = set(output.rsplit("modules:", 1)[1].split())
    assert not {"torch", "stable_baselines3", "pygame"} & modules


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["trian"], "racer: no command is called 'trian'; did you mean 'train'?"),
        (["tracks", "show", "ovall"], "racer: no track is called 'ovall'; did you mean 'oval'?"),
        (["evaluate", "nothing.tar.gz", "--track", "oval"], "racer: nothing.tar.gz"),
        (["train", "nowhere", "--track", "oval"], "racer: nowhere is not a folder"),
        (["export", "nowhere", "-o", "x.tar.gz"], "racer: nowhere is not a run folder"),
    ],
)
def test_what_the_user_did_wrong_is_one_sentence_and_exit_code_2(words: list[str], said: str) -> None:
    done = racer(*words)
    assert done.returncode == 2
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stdout + done.stderr


def test_the_version_is_told() -> None:
    assert racer("--version").stdout.startswith("racer 0.")
