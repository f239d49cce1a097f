"""How a run begins: a new one from a model folder, or one that goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from racer_env.car import Car, find_car
from racer_env.errors import MetadataError, nearest
from racer_env.metadata import PRIVILEGED, STATE
from racer_env.race import TIME_TRIAL, Race
from racer_env.randomisation import find_level
from racer_env.reward import RewardFunction, try_reward
from racer_env.sensors import find_sensors
from racer_env.simulator import Simulator
from racer_env.situations import trial
from racer_env.track import Track, find_track
from training.beginning import Beginning
from training.course import RANKS
from training.model_folder import ModelFolder
from training.networks import ARCHITECTURES, COMPACT
from training.run_folder import RunError, RunFolder, Settings, free_folder, in_both_directions

CRITICS = (STATE, "SENSORS")  #: what a critic may see
NEEDED = "a new run needs a model folder and --track; to go on with a run, give --resume RUN"
STEPS_AN_EPISODE = 128  #: what one of ``num_episodes_between_training`` stands for


def started(
    model_dir: Path | None,
    track: str | Sequence[str] | None,
    run: Path | None = None,
    seed: int = 0,
    car: str | None = None,
    network: str | None = None,
    critic: str = STATE,
    reverse: bool = False,
    cars: int = 64,
    race: Race = TIME_TRIAL,
    randomise: str = "none",
    jitter: bool = False,
    both_directions: bool = False,
    best: str = "progress",
    evaluate_every: int = 1,
    beginning: Beginning | None = None,
) -> tuple[RunFolder, list[str]]:
    """Check everything that the user gave, then make the folder of a new run.

    Of `race`, the obstacles and bot cars are taken; the rules are those of training. With a `beginning`, its network is
    trained on, and what is not given is as in its run.

    Returns:
        The run, and remarks on values that DeepRacer would not have allowed or that have no effect.

    Raises:
        RacerError: something is missing or wrong; nothing has been written.
    """
    names = [track] if isinstance(track, str) else track
    model = _model(model_dir, beginning)
    if reverse and both_directions:
        raise RunError("--reverse and --both-directions exclude each other")
    where = _tracks(names, reverse, beginning)
    car = car or (beginning.car if beginning else None)
    chosen = find_car(car) if car else model.metadata.car
    settings = Settings(
        track=where[0].name,
        more_tracks=tuple(place.name for place in where[1:]),
        reverse=where[0].is_reversed,
        both_directions=both_directions,
        obstacles=race.obstacles,
        bots=race.bots,
        randomise=find_level(randomise).name,
        jitter=jitter,
        car=chosen.name,
        network=_chosen_network(network, beginning),
        critic=_one_of("critic", critic, CRITICS),
        seed=seed,
        cars=cars,
        steps_per_car=max(round(model.hyperparameters.num_episodes_between_training * STEPS_AN_EPISODE / cars), 1),
        evaluate_every=evaluate_every,
        best=_one_of("best", best, tuple(RANKS)),
        begun_from=beginning.source if beginning else None,
    )
    _try(model, chosen, race, in_both_directions(where) if both_directions else where)
    folder = run or free_folder(Path("runs"), (model_dir or Path(settings.begun_from or "run")).resolve().name)
    start = beginning.checkpoint() if beginning else None
    remarks = _remarks(model, network or settings.begun_from)
    return RunFolder.create(folder, model, settings, where, start), remarks


def _model(model_dir: Path | None, beginning: Beginning | None) -> ModelFolder:
    """What is to be trained: the model folder, with what it lacks taken from the beginning."""
    if model_dir is None:
        if beginning is None or beginning.model is None:
            raise RunError(NEEDED)
        return beginning.model
    model = ModelFolder.read(model_dir)
    if beginning is None:
        return model
    if not (model_dir / "model_metadata.json").exists():
        return replace(model, metadata=beginning.metadata)
    beginning.require(model.metadata)
    return model


def _tracks(names: Sequence[str] | None, reverse: bool, beginning: Beginning | None) -> list[Track]:
    if names:
        return [find_track(name, reverse=reverse) for name in names]
    if beginning is None or not beginning.tracks:
        raise RunError(NEEDED)
    if reverse:
        raise RunError("--reverse needs --track")
    return list(beginning.tracks)


def _chosen_network(name: str | None, beginning: Beginning | None) -> str:
    if beginning is None:
        return _network(name or COMPACT)
    if name is not None and _network(name) != beginning.network:
        raise RunError(f"{beginning.source} has the network {beginning.network}, which stays; leave out --network")
    return beginning.network


def resumed(path: Path, given: Sequence[str] = ()) -> RunFolder:
    """Open a run to go on with.

    Args:
        path: the run's folder.
        given: what the user said besides, of that which a run has fixed, such as ``--track``.

    Raises:
        RunError: there is no such run, or something was given that it has fixed.
    """
    if given:
        raise RunError(f"--resume goes on with what the run was started with; leave out {', '.join(given)}")
    return RunFolder.open(path)


def _try(model: ModelFolder, car: Car, race: Race, tracks: Sequence[Track]) -> None:
    """Make sure that all of it works together, and the reward function at all. Raises `RacerError`."""
    find_sensors(model.metadata.sensors, model.metadata.lidar)
    Simulator(tracks, car, race)
    for track in tracks:
        try_reward(RewardFunction.load(model.reward), trial(track))


def _one_of(what: str, value: str, allowed: Sequence[str]) -> str:
    if value not in allowed:
        raise RunError(f"{what} is {value!r}, but must be one of {', '.join(allowed)}")
    return value


def _remarks(model: ModelFolder, decided: str | None) -> list[str]:
    """Remarks on a model; `decided` is who decided on its network, if anybody."""
    remarks = model.hyperparameters.remarks()
    said = model.metadata.neural_network
    if said and decided is None and not set(model.metadata.sensors) <= set(PRIVILEGED):
        remarks.append(
            f"model_metadata.json says {said}; the compact network is trained, which is several times faster "
            f"on a CPU; for the original's give --network {said}"
        )
    if model.metadata.training_algorithm != "clipped_ppo":
        remarks.append(f"model_metadata.json says {model.metadata.training_algorithm}; clipped_ppo is what trains here")
    return remarks


def _network(name: str) -> str:
    names = {known.lower(): known for known in ARCHITECTURES}
    try:
        return names[name.lower()]
    except KeyError:
        raise MetadataError(f"no network is called {name!r}; {nearest(name, ARCHITECTURES)}") from None
