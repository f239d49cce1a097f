"""Live races: their running order, and what their organisers launch.

A live race takes submissions while it is open, as any other, but no worker touches them. Its organiser launches them
one after the other, also after the close, until the race is final: drives them (`league.live_day`), or releases them
to the workers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from league.errors import LeagueError
from league.finals import running_order
from league.lifecycle import State
from league.models import IN_FLIGHT, Race, Status, Submission
from league.races import RaceFormat
from league.rules import Standing
from league.service.boards import standings_of
from league.service.desk import Desk, find_race, must_be, times_of
from league.service.races import needed_reason
from league.service.submission_view import (
    RELEASE_ORDER,
    UNLAUNCHED,
    SubmissionView,
    find_submission,
    places,
    race_of,
    view,
    with_names,
)


@dataclass(frozen=True)
class LiveView:
    """A live race as its audience sees it."""

    race: str
    state: State
    done: tuple[SubmissionView, ...]  #: that have driven, or could not, in the order in which they were
    on_track: tuple[SubmissionView, ...]
    waiting: tuple[SubmissionView, ...]  #: those that are left to the workers, then the running order
    board: tuple[Standing, ...]


@dataclass(frozen=True)
class Live(Desk):
    """The live races of a league."""

    def show(self, race: str | None = None) -> LiveView:
        """A live race as it is now. Raises `LeagueError` if there is no such race, or it is none."""
        with self.store.database.reading() as session:
            found = _live_race(session, race)
            made = _of(session, found, Submission.status != Status.WITHDRAWN)
            positions, turns = places(session)
            shown = [view(one, positions.get(one.id), turns.get(one.id)) for one in made]
            done = [one for one in shown if one.status not in IN_FLIGHT]
            return LiveView(
                found.name,
                times_of(found).state(self.clock()),
                tuple(sorted(done, key=lambda one: (one.finished_at or one.submitted_at, one.id))),
                tuple(one for one in shown if one.status is Status.RUNNING),
                tuple(one for one in shown if one.status is Status.QUEUED),
                standings_of(session, found),
            )

    def up_next(self, race: str | None = None, number: int | None = None) -> SubmissionView | None:
        """What is to be driven now: what is on the track already, else what comes next; None if nothing waits.

        Args:
            race: its name; None: the only one.
            number: a submission that is to be driven whatever the order.

        Raises:
            LeagueError: there is no such race, it is none or cannot be raced now; or this submission does not wait.
        """
        with self.store.database.reading() as session:
            found = self._raceable(_live_race(session, race))
            if number is not None:
                return view(_waiting(session, found, number))
            waiting = _of(session, found, Submission.status.in_(IN_FLIGHT))
            return next((view(one) for one in sorted(waiting, key=lambda one: one.status is Status.QUEUED)), None)

    def release(
        self, race: str | None = None, number: int | None = None, *, everyone: bool = False
    ) -> tuple[SubmissionView, ...]:
        """Leave submissions to the workers: the next in the running order, this one, or all of it.

        Raises:
            LeagueError: as `up_next` does; or this submission was launched before, or nothing waits.
        """
        with self.store.database.writing() as session:
            found = self._raceable(_live_race(session, race, lock="read"))
            order = _of(session, found, UNLAUNCHED, lock=True)
            if number is not None and _waiting(session, found, number) not in order:
                raise LeagueError(f"submission {number} is launched already")
            chosen = [one for one in order if number in (None, one.id)]
            chosen = chosen if everyone else chosen[:1]
            if not chosen:
                raise LeagueError(f"nobody waits in the running order of {found.name!r}")
            now = self.clock()
            for one in chosen:
                one.released_at = now
            session.flush()
            positions, _ = places(session)
            return tuple(view(one, positions[one.id]) for one in chosen)

    def order(self, race: str | None, numbers: Sequence[int]) -> tuple[SubmissionView, ...]:
        """Let some submissions start first, in this order, and the others after them as they were.

        Raises:
            LeagueError: there is no such race, it is none or cannot be raced now; or one of them is not in its order.
        """
        with self.store.database.writing() as session:
            found = self._raceable(_live_race(session, race, lock="write"), to="to order")
            order = _of(session, found, UNLAUNCHED, lock=True)
            twice = [number for number, count in Counter(numbers).items() if count > 1]
            if twice:
                raise LeagueError(f"submission {twice[0]} cannot start twice")
            for number in numbers:
                if _waiting(session, found, number) not in order:
                    raise LeagueError(f"submission {number} is launched already")
            rank = {number: place for place, number in enumerate(numbers)}
            return self._reordered(session, found, sorted(order, key=lambda one: rank.get(one.id, len(rank))))

    def order_by_board(self, race: str | None, other: str) -> tuple[tuple[SubmissionView, ...], tuple[str, ...]]:
        """Let racers start as they stand on a board, the last one first, and before them who is not on it.

        Who has several submissions starts with each only when everybody has started with the one before.

        Args:
            race: whose running order it is.
            other: whose board; of a finale's second round the race itself.

        Returns:
            The running order, and the racers who are not on the board.

        Raises:
            LeagueError: there is no such race, the first is none or cannot be raced now, or nobody is on the board.
        """
        with self.store.database.writing() as session:
            found = self._raceable(_live_race(session, race, lock="write"), to="to order")
            order = _of(session, found, UNLAUNCHED, lock=True)
            racers = tuple(dict.fromkeys(one.racer.name for one in order))
            by = find_race(session, other)
            ranked = running_order(standings_of(session, by), racers)
            if not ranked:
                raise LeagueError(f"nobody who waits in {found.name!r} stands on the board of {by.name!r}")
            rank = {racer: place for place, racer in enumerate(ranked)}
            rounds: Counter[str] = Counter()
            keys = {}
            for one in order:
                keys[one.id] = (rounds[one.racer.name], rank.get(one.racer.name, -1))
                rounds[one.racer.name] += 1
            made = self._reordered(session, found, sorted(order, key=lambda one: keys[one.id]), after=by.name)
            return made, tuple(racer for racer in racers if racer not in rank)

    def drop(self, number: int, reason: str) -> SubmissionView:
        """Take a submission out that waits: it is not driven, and not counted as one of its racer's.

        Raises:
            LeagueError: there is no reason, no such submission of a live race that is not over, or it does not wait.
        """
        reason = needed_reason(reason)
        with self.store.database.writing() as session:
            race_of(session, number)
            submission = find_submission(session, number, lock=True)
            race = self._raceable(_checked(submission.race), to="to drop a submission")
            if _waiting(session, race, number).status is Status.RUNNING:
                raise LeagueError(f"submission {number} is on the track; what it drives can be disqualified")
            submission.status, submission.reason = Status.WITHDRAWN, f"dropped by the organiser: {reason}"
            submission.started_at, submission.finished_at = None, self.clock()
            names = {"race": race.name, "racer": submission.racer.name}
            self.note(session, "drop submission", reason, submission=number, **names)
            return view(submission)

    def _raceable(self, race: Race, to: str = "to launch") -> Race:
        must_be(race, self.clock(), State.OPEN, State.CLOSED, to=to)
        return race

    def _reordered(
        self, session: Session, race: Race, order: Sequence[Submission], **about: str
    ) -> tuple[SubmissionView, ...]:
        """Give out the turns of some submissions anew."""
        turns = sorted(one.turn or 0 for one in order)
        for one, turn in zip(order, turns, strict=True):
            one.turn = turn
        self.note(session, "order live race", race=race.name, order=[one.id for one in order], **about)
        return tuple(view(one, turn=place) for place, one in enumerate(order, start=1))


def _live_race(session: Session, name: str | None, *, lock: str | None = None) -> Race:
    return _checked(find_race(session, name, lock=lock))


def _checked(race: Race) -> Race:
    if race.settings.format is not RaceFormat.LIVE:
        raise LeagueError(
            f"race {race.name!r} is {race.settings.format}, not {RaceFormat.LIVE}: racer league work drives its queue"
        )
    return race


def _of(session: Session, race: Race, which: ColumnElement[bool], *, lock: bool = False) -> list[Submission]:
    """Some submissions of a race, those first that were released, then by their turns."""
    query = with_names(select(Submission).where(Submission.race_id == race.id, which).order_by(*RELEASE_ORDER))
    return list(session.scalars(query.with_for_update(of=Submission) if lock else query))


def _waiting(session: Session, race: Race, number: int) -> Submission:
    """A submission of a race that has no result. Raises `LeagueError` if it is not one."""
    found = find_submission(session, number)
    if found.race_id != race.id:
        raise LeagueError(f"submission {number} is in {found.race.name!r}, not in {race.name!r}")
    if found.status not in IN_FLIGHT:
        raise LeagueError(f"submission {number} of {found.racer.name} is {found.status}: it does not wait any more")
    return found
