"""Real driver files for the league, small and made by hand, and leagues in both kinds of database."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import numpy as np
import numpy.typing as npt
import pytest

from league import sandbox
from league.drives import as_json
from league.evaluation import Job, Run
from league.models import Status
from league.races import RaceSettings
from league.rules import Lap
from league.sandbox import Outcome
from league.service import League, SubmissionView
from league.store import SQLITE_URL
from league.workers import Evaluate, work
from racer_env.car import DiscreteActions
from racer_env.errors import RacerError
from racer_env.graph import DType, Graph, Node, Shape
from racer_env.graphdef import encode
from racer_env.metadata import ModelMetadata
from tests.league.databases import emptied, postgresql

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
Weights = npt.NDArray[np.float32]
OUTPUT = "main_level/agent/main/online/network_1/ppo_head_0/policy"
PIXELS = 120 * 160
ACTIONS = DiscreteActions((-20.0, 0.0, 20.0), (1.0, 1.0, 1.0))


def linear_driver(weights: Weights, sensor: str) -> Graph:
    """A driver whose liking for each of k actions is a weighted sum of the pixels: weights (pixels, k)."""
    camera = f"main_level/agent/main/online/network_0/{sensor}/{sensor}"
    frame = Shape((-1, 120, 160, len(weights) // PIXELS))
    size = np.array([-1, len(weights)], np.int32)
    kind = {"T": DType.FLOAT}
    nodes = (
        Node(
            camera,
            "Placeholder",
            (),
            {"dtype": DType.FLOAT, "shape": frame},
        ),
        Node("size", "Const", (), {"dtype": DType.INT32, "value": size}),
        Node("flat", "Reshape", (camera, "size"), {**kind, "Tshape": DType.INT32}),
        Node("weights", "Const", (), {"dtype": DType.FLOAT, "value": weights}),
        Node("preference", "MatMul", ("flat", "weights"), kind),
        Node(OUTPUT, "Softmax", ("preference",), kind),
    )
    return Graph(nodes)


def write_bundle(
    file: Path, weights: Weights, actions: DiscreteActions = ACTIONS, sensor: str = "FRONT_FACING_CAMERA"
) -> Path:
    """Write a driver as a DeepRacer's ``.tar.gz``."""
    metadata = ModelMetadata(actions=actions, sensors=(sensor,))
    members = {
        "agent/model.pb": encode(linear_driver(weights, sensor)),
        "model_metadata.json": metadata.to_json().encode(),
    }
    with tarfile.open(file, "w:gz") as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return file


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """Makes driver files: the same number is the same driver."""
    folder = tmp_path_factory.mktemp("drivers")

    def make(number: int) -> Path:
        file = folder / f"driver-{number}.tar.gz"
        if not file.exists():
            weights = np.random.default_rng(number).normal(size=(PIXELS, 3)).astype(np.float32)
            write_bundle(file, weights)
        return file

    return make


@pytest.fixture(scope="session")
def road_follower(tmp_path_factory: pytest.TempPathFactory) -> Callable[[float], Path]:
    """Makes drivers of a speed, m/s, that complete laps: they steer away from the brighter side."""
    folder = tmp_path_factory.mktemp("followers")
    below_horizon = np.linspace(0.0, 1.0, 120)[:, None] > 0.4
    right = (below_horizon * np.linspace(-1.0, 1.0, 160)).reshape(-1)
    weights = np.stack((-right, 0.0 * right, right), axis=1).astype(np.float32)

    def make(speed: float) -> Path:
        actions = DiscreteActions((-20.0, 0.0, 20.0), (speed, speed, speed))
        return write_bundle(folder / f"follower-{speed}.tar.gz", weights, actions)

    return make


@pytest.fixture(scope="session")
def stereo_driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A driver with two cameras."""
    weights = np.zeros((2 * PIXELS, 3), np.float32)
    return write_bundle(tmp_path_factory.mktemp("stereo") / "stereo.tar.gz", weights, sensor="STEREO_CAMERAS")


@pytest.fixture(scope="session", autouse=True)
def prepared() -> None:
    """Processes that check and drive are copies of one that is ready, as a worker's are."""
    sandbox.prepare()


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """A PostgreSQL server."""
    with postgresql() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database, of each kind that a league can have."""
    return SQLITE_URL if request.param == "sqlite" else emptied(request.getfixturevalue("server"), "league")


class Clock:
    """A clock that ticks once a second whenever somebody looks."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


class HeldClock(Clock):
    """A clock that keeps whoever looks at it for the n-th time waiting, in the middle of what they do."""

    def __init__(self, now: datetime, look: int) -> None:
        self.now, self.looks = now, look
        self.reached, self.go_on = Event(), Event()

    def __call__(self) -> datetime:
        self.looks -= 1
        if self.looks == 0:
            self.reached.set()
            self.go_on.wait(10.0)
        return super().__call__()


def in_the_middle(held: Callable[[], object], clock: HeldClock, other: Callable[[], object]) -> None:
    """Do something while another one is held by its clock, until both wait; raises what either raises."""
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(held)
        assert clock.reached.wait(10.0)
        second = pool.submit(other)
        wait([second], 0.5)
        clock.go_on.set()
        first.result()
        second.result()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def league(tmp_path: Path, database: str, clock: Clock) -> Iterator[League]:
    """A league in each kind of database."""
    settings = RaceSettings(runs=1, max_submissions=3)
    made = League.create(tmp_path / "league", settings, clock, url=database)
    yield made
    made.close()


def laps(*times: int) -> tuple[Lap, ...]:
    """Completed laps of these times."""
    return tuple(Lap(trial, time, 100.0, "lap_complete") for trial, time in enumerate(times, start=1))


def driven(*runs: Sequence[Lap]) -> Evaluate:
    """Stands for the simulator: whatever is driven, these laps come out, of each run or of all."""

    def evaluate(job: Job) -> dict[str, object]:
        each = runs if len(runs) > 1 else runs * len(job.seeds)
        made = [
            Run(seed, tuple(laps), hashlib.sha256(f"{job.file_name}{seed}{laps}".encode()).hexdigest())
            for seed, laps in zip(job.seeds, each, strict=True)
        ]
        return as_json(made)

    return evaluate


class Here:
    """An engine that computes at once in this process: for tests of everything around the drive."""

    def __init__(self, evaluate: Callable[[Job], dict[str, object]], room: int = 1) -> None:
        self.evaluate, self.workers = evaluate, room
        self.outcomes: dict[int, Outcome] = {}
        self.jobs: list[Job] = []

    @property
    def room(self) -> int:
        return self.workers - len(self.outcomes)

    def protection(self) -> list[str]:
        return []

    def start(self, number: int, job: Job) -> None:
        self.jobs.append(job)
        try:
            self.outcomes[number] = Outcome(value=self.evaluate(job))
        except RacerError as error:
            self.outcomes[number] = Outcome(refused=str(error))
        except Exception as error:  # noqa: BLE001
            self.outcomes[number] = Outcome(failed=f"{type(error).__name__}: {error}")

    def finished(self, timeout: float) -> dict[int, Outcome]:  # noqa: ARG002
        done, self.outcomes = self.outcomes, {}
        return done

    def drop(self, number: int) -> None:
        self.outcomes.pop(number, None)


def drain(league: League, *runs: Sequence[Lap], evaluate: Evaluate | None = None) -> list[SubmissionView]:
    """Drive the queue with these laps in place of the simulator's; what became of each submission."""
    engine = Here(evaluate or driven(*runs))
    return [event.submission for event in work(league, engine, drain=True) if not event.started]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A league, where the command looks for it."""
    League.create(tmp_path / "league", RaceSettings(laps=1, resets=0, runs=1, max_submissions=2))
    monkeypatch.setenv("RACER_LEAGUE", str(tmp_path / "league"))
    monkeypatch.setenv("COLUMNS", "160")
    return tmp_path / "league"


def statuses(league: League) -> list[Status]:
    return [s.status for s in league.submissions.all()]


def failing(error: Exception) -> Callable[..., dict[str, object]]:
    def evaluate(_: object) -> dict[str, object]:
        raise error

    return evaluate
