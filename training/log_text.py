"""A training, or an evaluation, as one log with the lines that the original's simulator prints and tools look for.

deepracer-log-guru (``src/log/parse.py``) and deepracer-utils (``deepracer/logs/log.py``) read such logs by how lines
begin: what is trained stands first, then a line for every step, and between the episodes what evaluations came to.
No line has a prefix. The rest of the original's output is left out, as are losses and what a reward function printed.

Of several tracks the log names the first. log-guru itself refuses what its own lists lack: simulators after version 5,
networks other than ``DEEP_CONVOLUTIONAL_NETWORK_SHALLOW``, and our vectors ``STATE`` and ``OBJECTS`` as sensors.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from racer_env import trace
from racer_env.metadata import DISCRETIZED, LidarConfig, ModelMetadata
from racer_env.obstacles import LANE_CHANGE, Bots, Obstacles
from racer_env.race import TIME_TRIAL
from racer_env.track import Track
from training.records import metrics_file, read_metrics
from training.run_folder import RunError, RunFolder, Settings

#: A step, in the formats of the original's ``sim_trace_log`` (``markov/metrics/s3_metrics.py``).
STEP_LINE = trace.LOG_MARK + "%d,%d,%.4f,%.4f,%.4f,%.2f,%.2f,%s,%.4f,%s,%s,%.4f,%d,%.2f,%s,%s,%.2f,%d,%.4f\n"

EVALUATED = "## agent: Finished evaluation phase. Success rate = 0.0, Avg Total Reward = {}\n"
SELECTION = "[BestModelSelection] Number of evaluations: {} Evaluation progresses: {}\n"

#: Passes files on one by one, and may show how far they are.
Bar = Callable[[Sequence[Path]], Iterable[Path]]


def training_log(run: RunFolder, bar: Bar = iter) -> Iterator[str]:
    """Write a training, in pieces of about one episode.

    Raises:
        RacerError: a file of the run is missing or cannot be read.
    """
    settings, track = run.settings, run.track
    yield from _introduction(run, {"JOB_TYPE": "TRAINING", **_world(settings, track)})
    evaluations = dict(_evaluations(run))
    for file in bar(training_traces(run)):
        for rows in _episodes(file):
            number = int(rows[0].episode)
            yield evaluations.pop(number, "")
            yield _steps(rows)
    yield from evaluations.values()  # after the last episode


def evaluation_log(run: RunFolder, simtrace: Path) -> Iterator[str]:
    """Write an evaluation of a run, in pieces of a lap. Raises `RacerError` if a file cannot be read."""
    laps = list(_episodes(simtrace))
    lengths = {round(track.length, 6): track.name for track in run.tracks}
    name = lengths.get(round(float(laps[0].track_len[0]), 6), "unknown")  # it can be driven on any track
    yield from _introduction(run, {"JOB_TYPE": "EVALUATION", "WORLD_NAME": _word(name)})
    yield from map(_steps, laps)


def training_traces(run: RunFolder) -> list[Path]:
    """Files of a run's training, in order. Raises `RunError` if there is none, or one is missing between others."""
    folder = run.path / "training-simtrace"
    found = {
        int(m[1]): file for file in folder.glob("*.csv") if (m := re.fullmatch(r"(\d+)-iteration\.csv", file.name))
    }
    if not found:
        raise RunError(f"{run.path} has no log yet: no episode is over; go on: racer train --resume {run.path}")
    for k in range(len(found)):
        if k not in found:
            raise RunError(f"{folder / f'{k}-iteration.csv'} is missing, but there are files after it")
    return [found[k] for k in range(len(found))]


def _episodes(file: Path) -> Iterator[Any]:
    """Steps `trace.STEP` (k,) of every episode of a file."""
    rows = trace.read(file).rows
    yield from np.split(rows, np.flatnonzero(np.diff(rows.episode)) + 1)


def _steps(rows: Any) -> str:
    return "".join(STEP_LINE % row for row in rows.tolist())


def _evaluations(run: RunFolder) -> Iterator[tuple[int, str]]:
    """What each evaluation came to, with how many training episodes were over by then."""
    rows = read_metrics(run) if metrics_file(run).is_file() else []
    evaluated = (row for row in rows if row["phase"] == "evaluation")
    for episodes, group in groupby(evaluated, key=lambda row: int(row["episode"])):
        laps = list(group)
        progresses = [float(lap["completion_percentage"]) for lap in laps]
        rewards = "".join(EVALUATED.format(float(lap["reward_score"])) for lap in laps)
        yield episodes, rewards + SELECTION.format(len(laps), progresses)


def _introduction(run: RunFolder, world: Mapping[str, str | list[str]]) -> Iterator[str]:
    """What is trained; one of the lines exists because log-guru takes the date from it."""
    metadata, hyperparameters = run.model.metadata, run.model.hyperparameters
    name = _word(run.path.resolve().name)
    yield f"{run.made.astimezone():%d/%m/%Y %H:%M:%S} passing arg to libvncserver: -rfbport\n"
    yield f"{dict(world)}\n"
    yield from (f" * /{key}: {value}\n" for key, value in world.items() if isinstance(value, str))
    yield f"Successfully downloaded model metadata from model-metadata/{name}/model_metadata.json.\n"
    yield _agent(metadata)
    yield f"Action space from file: {json.loads(metadata.to_json())['action_space']}\n"
    yield "Using the following hyper-parameters\n"
    yield json.dumps(hyperparameters.model_dump(), indent=2, sort_keys=True) + "\n"


def _agent(metadata: ModelMetadata) -> str:
    said = json.loads(metadata.to_json())
    lidar = LidarConfig.of(metadata.lidar) if DISCRETIZED in metadata.sensors else LidarConfig()
    return (
        f"Sensor list {said['sensor']}, network {said['neural_network']}, simapp_version {metadata.version}, "
        f"training_algorithm {said['training_algorithm']}, action_space_type {said['action_space_type']} "
        f"lidar_config {vars(lidar)}\n"
    )


def _world(settings: Settings, track: Track) -> dict[str, str | list[str]]:
    """The configuration of the world that a run was trained in, as ``markov/world_config.py`` reads it."""
    kind = "HEAD_TO_BOT" if settings.bots else "OBJECT_AVOIDANCE" if settings.obstacles else "TIME_TRIAL"
    return {
        "RACE_TYPE": kind,
        "WORLD_NAME": _word(track.name),
        "REVERSE_DIR": str(settings.reverse),
        "CAR_NAME": _word(settings.car),
        "BODY_SHELL_TYPE": ["deepracer"],
        "CAR_COLOR": ["Black"],
        "NUM_WORKERS": "1",
        "ALTERNATE_DRIVING_DIRECTION": "False",
        "CHANGE_START_POSITION": "True",
        "ROUND_ROBIN_ADVANCE_DIST": str(TIME_TRIAL.advance),
        "MIN_EVAL_TRIALS": "5",
        "ENABLE_DOMAIN_RANDOMIZATION": str(settings.randomise != "none"),
        **(_obstacles(settings.obstacles, track) if settings.obstacles else {}),
        **(_bots(settings.bots) if settings.bots else {}),
    }


def _obstacles(obstacles: Obstacles, track: Track) -> dict[str, str | list[str]]:
    parked = obstacles.shape == "bot_car"
    places = [f"{share},{lane}" for share, lane in obstacles.positions]
    return {
        "NUMBER_OF_OBSTACLES": str(len(obstacles)),
        "MIN_DISTANCE_BETWEEN_OBSTACLES": f"{obstacles.least_gap * track.length:.2f}",
        "RANDOMIZE_OBSTACLE_LOCATIONS": str(obstacles.random),
        **({"IS_OBSTACLE_BOT_CAR": "True"} if parked else {"OBSTACLE_TYPE": obstacles.shape}),
        **({"OBJECT_POSITIONS": places} if places else {}),
    }


def _bots(bots: Bots) -> dict[str, str | list[str]]:
    least, most = bots.lane_time
    return {
        "NUMBER_OF_BOT_CARS": str(len(bots)),
        "BOT_CAR_SPEED": str(bots.speed),
        "MIN_DISTANCE_BETWEEN_BOT_CARS": str(bots.least_gap),
        "RANDOMIZE_BOT_CAR_LOCATIONS": str(bots.random),
        "IS_LANE_CHANGE": str(bots.lane_changes),
        "LOWER_LANE_CHANGE_TIME": str(least),
        "UPPER_LANE_CHANGE_TIME": str(most),
        "LANE_CHANGE_DISTANCE": str(LANE_CHANGE),
    }


def _word(name: str) -> str:
    """A name without spaces, slashes and quotes, at which readers of logs split lines."""
    return re.sub(r"[^\w.:+-]", "_", name)
