"""The league's interface: what its command calls, and what a web site would.

Everything that comes back is a plain value. Errors of organisers and racers are `LeagueError`, or the
`BundleError` or `TrackError` of the simulator.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from league import evaluation, rules
from league.errors import LeagueError
from league.evaluation import Evaluate, check_drivable, located
from league.models import COUNTED, DRIVEN, IN_FLIGHT, Lap, Race, Racer, Status, Submission
from league.races import RaceFormat, RaceSettings, race_name, racer_name, same_name
from league.ranges import whole
from league.rules import Standing
from league.store import Store
from racer_env.errors import BundleError, MetadataError, nearest

#: The race that a new league has.
FIRST_RACE = "community"


@dataclass(frozen=True)
class RaceView:
    """A race as it is now."""

    name: str
    settings: RaceSettings
    seeds: tuple[int, ...]  #: of the runs of a submission
    created_at: datetime
    racers: int
    submissions: int


@dataclass(frozen=True)
class SubmissionView:
    """A submission as it is now. Once it has driven, `score` and `laps` are those of its median run."""

    id: int
    race: str
    racer: str
    bundle_sha256: str
    status: Status
    reason: str | None
    submitted_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    score: rules.Score | None
    laps: tuple[rules.Lap, ...]
    runs: tuple[tuple[rules.Lap, ...], ...]  #: the laps of every run


#: The laps of one run, in driving order.
Run = Sequence[rules.Lap]


def now() -> datetime:
    """The time, UTC."""
    return datetime.now(UTC)


class League:
    """A league in a folder. Each call is one transaction; several processes may use the same folder."""

    def __init__(self, folder: Path, clock: Callable[[], datetime] = now) -> None:
        """Open a league. Raises `LeagueError` if there is none."""
        self.store = Store(folder)
        self._clock = clock

    @classmethod
    def create(
        cls, folder: Path, settings: RaceSettings, clock: Callable[[], datetime] = now, *, seed: int = 0
    ) -> Self:
        """Make a league whose first race has these settings; the seeds of a submission's runs follow from `seed`.

        Raises:
            LeagueError: there already is one, or the folder cannot be written.
            TrackError: the race's track does not exist.
        """
        Store.create(folder, _new_race(FIRST_RACE, settings, seed, clock()))
        return cls(folder, clock)

    def create_race(self, name: str, settings: RaceSettings, *, seed: int = 0) -> RaceView:
        """Add a race.

        Raises:
            LeagueError: the name is taken, or a setting is one that nothing keeps to yet.
            RacerError: there is no such track, randomisation, car or obstacle, or the simulator cannot do it.
        """
        race = _new_race(name, settings, seed, self._clock())
        with self.store.writing() as session:
            if session.scalar(select(Race).where(Race.key == race.key)):
                raise LeagueError(f"race {race.name!r} already exists")
            session.add(race)
        return self.race(name)

    def races(self) -> tuple[RaceView, ...]:
        """Every race, oldest first."""
        counts = select(
            Submission.race_id,
            func.count(Submission.racer_id.distinct()).label("racers"),
            func.count().label("submissions"),
        )
        counted = counts.group_by(Submission.race_id).subquery()
        query = select(Race, counted.c.racers, counted.c.submissions).outerjoin(counted).order_by(Race.id)
        with self.store.reading() as session:
            return tuple(
                RaceView(race.name, race.settings, race.seeds, race.created_at, racers or 0, submissions or 0)
                for race, racers, submissions in session.execute(query)
            )

    def race(self, name: str | None = None) -> RaceView:
        """The race with this name, or the only one there is. Raises `LeagueError` if that is not one race."""
        races = {same_name(race.name): race for race in self.races()}
        if name is None and len(races) == 1:
            return next(iter(races.values()))
        known = [race.name for race in races.values()]
        if name is None:
            raise LeagueError(f"say which race; there are: {', '.join(known)}")
        if same_name(name) not in races:
            raise LeagueError(f"race {name!r} does not exist; {nearest(name, known)}")
        return races[same_name(name)]

    def submit(self, bundle_file: Path, race: str | None, racer: str) -> SubmissionView:
        """Check a bundle, keep it and put it in the queue.

        Raises:
            BundleError: the file is not a driver that can race.
            LeagueError: no such race, a bad racer's name, or the racer has no submission left in this race.
        """
        race, racer = self.race(race).name, racer_name(racer)
        with self.store.received(bundle_file) as received, self.store.writing() as session:
            submission = Submission(
                race=session.scalars(select(Race).where(Race.key == same_name(race))).one(),
                racer=_racer(session, racer, self._clock()),
                bundle_sha256=received.bundle.sha256,
                status=Status.QUEUED,
                submitted_at=self._clock(),
            )
            _check_allowance(session, submission)
            self.store.keep(received)
            session.add(submission)
            session.flush()
            return _view(submission)

    def submissions(self, race: str | None = None, racer: str | None = None) -> tuple[SubmissionView, ...]:
        """Every submission, of one race and one racer if they are named, oldest first."""
        query = select(Submission).order_by(Submission.id)
        if race is not None:
            query = query.join(Submission.race).where(Race.key == same_name(self.race(race).name))
        if racer is not None:
            query = query.join(Submission.racer).where(Racer.key == same_name(racer))
        with self.store.reading() as session:
            return tuple(_view(submission) for submission in session.scalars(query))

    def standings(self, race: str | None = None) -> tuple[Standing, ...]:
        """The board of a race, winner first."""
        submissions = self.submissions(self.race(race).name)
        return rules.standings(
            rules.Entry(s.racer, s.id, s.submitted_at, s.score) for s in submissions if s.score is not None
        )

    def retry(self) -> int:
        """Queue again what the organiser's side failed on; how many."""
        with self.store.writing() as session:
            return _put_back(session, Status.ERROR)

    def run(self, evaluate: Evaluate = evaluation.evaluate) -> Generator[SubmissionView, None, None]:
        """Drive every queued submission, oldest first; yields each when it starts and when it has a result.

        Only one process at a time does this, so a submission found running was left by one that was killed
        and is driven again. Ctrl-C puts the one that is running back in the queue.

        Raises:
            LeagueError: another process is at it.
        """
        with self.store.alone():
            with self.store.writing() as session:
                _put_back(session, Status.RUNNING)
            try:
                while claimed := self._claim():
                    yield claimed
                    yield self._finish(claimed.id, *self._drive(claimed, evaluate))
            finally:
                with self.store.writing() as session:
                    _put_back(session, Status.RUNNING)

    def _claim(self) -> SubmissionView | None:
        """Take the oldest submission from the queue."""
        oldest = select(Submission).where(Submission.status == Status.QUEUED).order_by(Submission.id).limit(1)
        with self.store.writing() as session:
            submission = session.scalar(oldest)
            if submission is None:
                return None
            submission.status, submission.started_at = Status.RUNNING, self._clock()
            session.flush()
            return _view(submission)

    def _drive(self, claimed: SubmissionView, evaluate: Evaluate) -> tuple[Status, str | None, Sequence[Run]]:
        """Drive a submission; whatever goes wrong is its result, so that the next one gets its turn."""
        race = self.race(claimed.race)
        try:
            bundle = self.store.bundle(claimed.bundle_sha256)
            runs = [evaluate(bundle, race.settings, seed) for seed in race.seeds]
        except (BundleError, MetadataError) as error:
            return Status.REJECTED, str(error), ()
        except Exception as error:  # noqa: BLE001 -- one submission must not stop the others
            return Status.ERROR, f"{type(error).__name__}: {error}", ()
        scores = [race.settings.score(run) for run in runs]
        finished = scores[rules.median_run(scores)].time_ms is not None
        return Status.SCORED if finished else Status.DNF, None, runs

    def _finish(self, number: int, status: Status, reason: str | None, runs: Sequence[Run]) -> SubmissionView:
        """Write a result, whole or not at all."""
        with self.store.writing() as session:
            submission = session.scalars(select(Submission).where(Submission.id == number)).one()
            submission.status, submission.reason, submission.finished_at = status, reason, self._clock()
            submission.laps = [
                Lap(run=i, seed=seed, **vars(lap))
                for i, (seed, run) in enumerate(zip(submission.race.seeds, runs, strict=False))
                for lap in run
            ]
            session.flush()
            return _view(submission)


#: What a race can say and nothing here keeps to yet, and what it must be until then.
NOT_YET: Mapping[str, Any] = {
    "format": RaceFormat.CLASSIC,
    "opens_at": None,
    "closes_at": None,
    "private": False,
    "division": None,
    "region": None,
}


def _new_race(name: str, settings: RaceSettings, seed: int, created_at: datetime) -> Race:
    whole("seed", seed, 0, 2**63 - 1)
    for setting, only in NOT_YET.items():
        if getattr(settings, setting) != only:
            raise LeagueError(
                f"{setting} is {getattr(settings, setting)}, but no league keeps to that yet; leave it out"
            )
    if settings.grid > 1:
        raise LeagueError(f"race type is {settings.race_type}, but a league drives one racer at a time yet")
    check_drivable(settings)
    key = same_name(race_name(name))
    return Race(name=race_name(name), key=key, settings=located(settings), seed=seed, created_at=created_at)


def _racer(session: Session, name: str, created_at: datetime) -> Racer:
    """The racer of this name, new if there is none yet."""
    known = session.scalar(select(Racer).where(Racer.key == same_name(name)))
    return known or Racer(name=name, key=same_name(name), created_at=created_at)


def _check_allowance(session: Session, submission: Submission) -> None:
    """Whether the racer may submit once more; a day is one of UTC."""
    race, racer = submission.race, submission.racer
    mine = select(func.count(Submission.id)).where(Submission.race_id == race.id, Submission.racer_id == racer.id)
    counted, midnight = (
        mine.where(Submission.status.in_(COUNTED)),
        submission.submitted_at.replace(hour=0, minute=0, second=0, microsecond=0),
    )
    for most, made, says in (
        (race.settings.max_submissions, counted, "has used all {} submissions"),
        (
            race.settings.max_submissions_a_day,
            counted.where(Submission.submitted_at >= midnight),
            "has used all {} submissions of today",
        ),
        (
            race.settings.max_in_flight,
            mine.where(Submission.status.in_(IN_FLIGHT)),
            "may have {} queued or running at a time",
        ),
    ):
        if most is not None and session.scalars(made).one() >= most:
            raise LeagueError(f"racer {racer.name!r} {says.format(most)} to {race.name!r}")


def _put_back(session: Session, status: Status) -> int:
    """Queue again all submissions with this status; how many."""
    found = session.scalars(select(Submission).where(Submission.status == status)).all()
    for submission in found:
        submission.status, submission.reason = Status.QUEUED, None
        submission.started_at = submission.finished_at = None
    return len(found)


def _view(submission: Submission) -> SubmissionView:
    race, driven = submission.race, submission.status in DRIVEN
    runs = [tuple(lap.driven for lap in submission.laps if lap.run == i) for i in range(race.settings.runs)]
    scores = [race.settings.score(run) for run in runs]
    median = rules.median_run(scores)
    return SubmissionView(
        id=submission.id,
        race=race.name,
        racer=submission.racer.name,
        bundle_sha256=submission.bundle_sha256,
        status=submission.status,
        reason=submission.reason,
        submitted_at=submission.submitted_at,
        started_at=submission.started_at,
        finished_at=submission.finished_at,
        score=scores[median] if driven else None,
        laps=runs[median],
        runs=tuple(runs) if driven else (),
    )
