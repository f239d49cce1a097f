"""How a run begins: a new one from a model folder, or one that goes on."""

from __future__ import annotations

from pathlib import Path

from racer_env.car import find_car
from racer_env.errors import MetadataError, nearest
from racer_env.metadata import STATE
from racer_env.reward import RewardFunction, try_reward
from racer_env.situations import trial
from racer_env.track import find_track
from training.model_folder import ModelFolder
from training.networks import ARCHITECTURES
from training.run_folder import RunError, RunFolder, Settings, free_folder

STEPS_AN_EPISODE = 128  #: what one of ``num_episodes_between_training`` stands for


def started(
    model_dir: Path | None,
    track: str | None,
    run: Path | None = None,
    seed: int = 0,
    car: str | None = None,
    network: str | None = None,
    critic: str = STATE,
    reverse: bool = False,
    cars: int = 32,
) -> tuple[RunFolder, list[str]]:
    """Check everything that the user gave, then make the folder of a new run.

    Returns:
        The run, and remarks on values that DeepRacer would not have allowed or that have no effect.

    Raises:
        RacerError: something is missing or wrong; nothing has been written.
    """
    if model_dir is None or track is None:
        raise RunError("a new run needs a model folder and --track; to go on with a run, give --resume RUN")
    model = ModelFolder.read(model_dir)
    where = find_track(track, reverse=reverse)
    chosen = find_car(car) if car else model.metadata.car
    if critic not in (STATE, "SENSORS"):
        raise RunError(f"critic is {critic!r}, but must be STATE or SENSORS")
    try_reward(RewardFunction.load(model.reward), trial(where))
    episodes = model.hyperparameters.num_episodes_between_training
    settings = Settings(
        track=where.name,
        reverse=reverse,
        car=chosen.name,
        network=_network(network or "compact"),
        critic=critic,
        seed=seed,
        cars=cars,
        steps_per_car=max(round(episodes * STEPS_AN_EPISODE / cars), 1),
    )
    folder = run or free_folder(Path("runs"), model_dir.resolve().name)
    return RunFolder.create(folder, model, settings, where), _remarks(model, network)


def resumed(path: Path, given: object) -> RunFolder:
    """Open a run to go on with. Raises `RunError` if there is none, or if what it has fixed is given again."""
    if given:
        raise RunError(
            "--resume goes on with what the run was started with; leave out the model folder, --track, --run"
        )
    run = RunFolder.open(path)
    run.course()
    return run


def _remarks(model: ModelFolder, network: str | None) -> list[str]:
    remarks = model.hyperparameters.remarks()
    said = model.metadata.neural_network
    if said and network is None:
        remarks.append(
            f"model_metadata.json says {said}; the compact network is trained, which is several times faster "
            f"on a CPU; for the original's give --network {said}"
        )
    return remarks


def _network(name: str) -> str:
    names = {known.lower(): known for known in ARCHITECTURES}
    try:
        return names[name.lower()]
    except KeyError:
        raise MetadataError(f"no network is called {name!r}; {nearest(name, ARCHITECTURES)}") from None
