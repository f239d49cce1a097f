"""Submissions: made, withdrawn, listed; disqualified and reinstated; racers removed from a race and readmitted."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.orm import Session

from league import sandbox
from league.errors import LeagueError
from league.evaluation import Run, check
from league.lifecycle import State
from league.models import DRIVEN, IN_FLIGHT, KeptBundle, Participant, Race, Racer, Result, Status, Submission
from league.races import RaceFormat, racer_name, same_name
from league.receipts import Receipt
from league.service.boards import recount
from league.service.desk import Desk, add_missing, enrolled, find_race, find_racer, must_be, times_of
from league.service.invites import check_invited
from league.service.races import needed_reason
from league.service.season_record import check_may_race
from league.service.submission_view import (
    SubmissionView,
    find_submission,
    located,
    places,
    race_of,
    view,
    with_names,
)
from league.store import read_archive
from racer_env.errors import BundleError

if TYPE_CHECKING:
    from racer_env.replay import Replay


@dataclass(frozen=True)
class Submissions(Desk):
    """The submissions of a league."""

    def submit(self, file: Path, race: str | None, racer: str, invite: str | None = None) -> SubmissionView:
        """Check a bundle, keep it and put it in the queue.

        Args:
            file: the bundle.
            race: its name; None: the only one.
            racer: who submits.
            invite: the code of a private race, which a racer's first submission there needs.

        Raises:
            BundleError: the file is not a driver that can race.
            LeagueError: no such race, it is not open or not for the racer, a bad name, or no more submissions now.
        """
        racer = racer_name(racer)
        with self.store.database.reading() as session:  # before anything of theirs is read and kept
            known = session.scalar(select(Racer).where(Racer.key == same_name(racer)))
            self._check_may_submit(session, find_race(session, race), known or Racer(name=racer), invite)
        bundle, archive = self._received(file)
        with self.store.database.writing() as session:
            found = find_race(session, race, lock="read")
            who = enrolled(session, racer, self.clock())  # locked, so that limits hold
            self._check_may_submit(session, found, who, invite)
            add_missing(session, Participant, race_id=found.id, racer_id=who.id, driven=0)
            add_missing(session, KeptBundle, **bundle)
            if archive and session.get_one(KeptBundle, bundle["sha256"]).archive_sha256 == bundle["archive_sha256"]:
                self.store.keep(archive, bundle["sha256"])  # only now it is sure which archive of the driver is kept
            submission = Submission(
                race=found,
                racer=who,
                bundle_sha256=bundle["sha256"],
                status=Status.QUEUED,
                submitted_at=self.clock(),
                copy_of=_first_of_another(session, bundle["sha256"], who),
            )
            session.add(submission)
            session.flush()
            submission.turn = submission.id if found.settings.format is RaceFormat.LIVE else None
            session.flush()
            return located(session, submission)

    def withdraw(self, number: int, racer: str | None = None) -> SubmissionView:
        """Take a submission back, of this racer if one is named: what it scored counts no more.

        It stays one of those that the race allows them, unless no worker had it.

        Raises:
            LeagueError: it is not there or not theirs, it has nothing to take back, or its race is not open.
        """
        with self.store.database.writing() as session:
            race_of(session, number)
            submission = find_submission(session, number, lock=True)
            must_be(submission.race, self.clock(), State.OPEN, to="to withdraw")
            if racer is not None and same_name(racer) != submission.racer.key:
                raise LeagueError(f"submission {number} is {submission.racer.name}'s, not {racer}'s")
            if submission.status not in (*IN_FLIGHT, *DRIVEN):
                raise LeagueError(f"submission {number} is {submission.status}: there is nothing to withdraw")
            if submission.status is Status.QUEUED:
                submission.started_at = None  # of an attempt that the organiser's side failed on
            submission.status, submission.lease, submission.leased_until = Status.WITHDRAWN, None, None
            submission.finished_at = submission.finished_at or self.clock()
            session.flush()
            recount(session, submission.race_id, submission.racer_id)
            return view(submission)

    def one(self, number: int) -> SubmissionView:
        """A submission. Raises `LeagueError` if there is none of this number."""
        with self.store.database.reading() as session:
            return located(session, find_submission(session, number))

    def all(
        self, race: str | None = None, racer: str | None = None, statuses: Sequence[Status] = ()
    ) -> tuple[SubmissionView, ...]:
        """Every submission, of one race, one racer and some statuses if they are named, oldest first."""
        query = with_names(select(Submission).order_by(Submission.id))
        with self.store.database.reading() as session:
            if race is not None:
                query = query.where(Submission.race_id == find_race(session, race).id)
            if racer is not None:
                query = query.where(Submission.racer_id == find_racer(session, racer).id)
            if statuses:
                query = query.where(Submission.status.in_(statuses))
            positions, turns = places(session)
            return tuple(view(one, positions.get(one.id), turns.get(one.id)) for one in session.scalars(query))

    def runs(self, number: int) -> tuple[Run, ...]:
        """The runs of a submission with all laps; their seeds are 0 until its race is closed."""
        with self.store.database.reading() as session:
            state = times_of(find_submission(session, number).race).state(self.clock())
            result = session.get(Result, number)
            runs = Receipt.parse(result.receipt).runs if result else ()
            return runs if state in (State.CLOSED, State.FINAL) else tuple(replace(run, seed=0) for run in runs)

    def receipt(self, number: int) -> str:
        """The signed receipt of a submission that has driven, as text.

        Raises:
            LeagueError: it has not, or its race is not closed: a receipt tells the seeds.
        """
        with self.store.database.reading() as session:
            submission = find_submission(session, number)
            must_be(
                submission.race, self.clock(), State.CLOSED, State.FINAL, to="for a receipt, which tells the seeds,"
            )
            result = session.get(Result, number)
            if result is None:
                raise LeagueError(f"submission {number} is {submission.status}: only what has driven has a receipt")
            return result.receipt

    def replay(self, number: int, run: int | None = None) -> Replay:
        """The replay of one of a submission's runs, from 1; by default of the one that counts.

        Raises:
            LeagueError: it has not driven, there is no such run, or the replay is not there any more as it was kept.
            ReplayError: its file cannot be read.
        """
        from racer_env.replay_file import digest, read  # noqa: PLC0415 (loads the simulator)

        with self.store.database.reading() as session:
            submission, result = find_submission(session, number), session.get(Result, number)
            if result is None:
                raise LeagueError(f"submission {number} is {submission.status}: only what has driven has a replay")
            receipt, racer = Receipt.parse(result.receipt), submission.racer.name
        counts = receipt.settings.counted([driven.laps for driven in receipt.runs]) + 1
        which = counts if run is None else run
        if not 1 <= which <= len(receipt.runs):
            raise LeagueError(f"submission {number} has the runs 1 to {len(receipt.runs)}, not {run}")
        sha256 = receipt.runs[which - 1].replay_sha256
        shown = read(self.store.replay_path(sha256))
        if digest(shown) != sha256:
            raise LeagueError(f"{self.store.replay_path(sha256)} has been changed since it was kept")
        return shown.named(racer)

    def disqualify(self, number: int, reason: str) -> SubmissionView:
        """Let a submission count no more."""
        reason = needed_reason(reason)
        with self.store.database.writing() as session:
            race_of(session, number)
            submission = find_submission(session, number, lock=True)
            self._must_not_be_final(submission.race)
            submission.disqualified = reason
            return self._judged(session, submission, "disqualify", reason)

    def reinstate(self, number: int, reason: str) -> SubmissionView:
        """Let a disqualified submission count again."""
        reason = needed_reason(reason)
        with self.store.database.writing() as session:
            race_of(session, number)
            submission = find_submission(session, number, lock=True)
            self._must_not_be_final(submission.race)
            if submission.disqualified is None:
                raise LeagueError(f"submission {number} is not disqualified")
            submission.disqualified = None
            return self._judged(session, submission, "reinstate", reason)

    def remove(self, racer: str, race: str | None, reason: str) -> None:
        """Remove a racer from a race: off its board, no more submissions, and what waits is withdrawn."""
        self._admit(racer, race, "remove racer", needed_reason(reason), stays=False)

    def readmit(self, racer: str, race: str | None, reason: str) -> None:
        """Let a removed racer take part again."""
        self._admit(racer, race, "readmit racer", needed_reason(reason), stays=True)

    def retry(self) -> int:
        """Queue again what the organiser's side failed on, in races that are not final or cancelled; how many.

        What is of a live race is back in its running order.
        """
        with self.store.database.writing() as session:
            undecided = select(Race.id).where(Race.final_at.is_(None), Race.cancelled_at.is_(None)).order_by(Race.id)
            races = session.scalars(undecided.with_for_update(read=True)).all()
            ours = (Submission.status == Status.ERROR, Submission.disqualified.is_(None))
            query = select(Submission).where(*ours, Submission.race_id.in_(races))
            failed = session.scalars(with_names(query).with_for_update(of=Submission)).all()
            for submission in failed:
                submission.status, submission.reason, submission.attempts = Status.QUEUED, None, 0
                submission.started_at = submission.finished_at = submission.released_at = None
                self.note(
                    session, "retry", race=submission.race.name, racer=submission.racer.name, submission=submission.id
                )
            return len(failed)

    def _received(self, file: Path) -> tuple[dict[str, Any], bytes | None]:
        """Check a driver's file; one that is known needs no second check. Give its row, and what is to be kept."""
        archive = read_archive(file)
        archive_sha256 = hashlib.sha256(archive).hexdigest()
        known = self._known(KeptBundle.archive_sha256 == archive_sha256)
        if known:
            return known, None
        outcome = sandbox.run(check, (archive, file.name))
        if outcome.refused is not None:
            raise BundleError(f"{file}: {outcome.refused.removeprefix(f'{file.name}: ')}")
        if outcome.failed is not None:
            raise LeagueError(f"{file} could not be checked: {outcome.failed}")
        sha256 = str(outcome.value)
        if not re.fullmatch("[0-9a-f]{64}", sha256):  # it names a file
            raise LeagueError(f"{file} could not be checked: its process answered nonsense")
        known = self._known(KeptBundle.sha256 == sha256)  # the same driver in another archive
        if known:
            return known, None
        return {"sha256": sha256, "archive_sha256": archive_sha256, "size": len(archive)}, archive

    def _known(self, which: ColumnElement[bool]) -> dict[str, Any] | None:
        """The row of a bundle that is kept already."""
        columns = (KeptBundle.sha256, KeptBundle.archive_sha256, KeptBundle.size)
        with self.store.database.reading() as session:
            row = session.execute(select(*columns).where(which)).mappings().first()
        return dict(row) if row and self.store.bundle_path(row["sha256"]).exists() else None

    def _check_may_submit(self, session: Session, race: Race, racer: Racer, invite: str | None) -> None:
        """Raise `LeagueError` if a racer, who may be unknown yet, may not submit to a race now."""
        must_be(race, self.clock(), State.OPEN, to="to submit")
        theirs = (Participant.race_id == race.id, Participant.racer_id == racer.id)
        part = session.scalar(select(Participant).where(*theirs))
        if part is None:
            check_invited(race, racer, invite)
        elif part.removed is not None:
            raise LeagueError(f"racer {racer.name!r} was removed from {race.name!r}: {part.removed}")
        check_may_race(session, race, racer, self.clock())
        self._check_allowance(session, race, racer)

    def _check_allowance(self, session: Session, race: Race, racer: Racer) -> None:
        """Raise `LeagueError` if a racer may submit no more, at all, today, or now."""
        limits = race.settings
        theirs = (Submission.race_id == race.id, Submission.racer_id == racer.id)
        made = select(func.count()).select_from(Submission).where(*theirs)
        begun = Submission.started_at.is_not(None)  # also what was rejected, or withdrawn afterwards
        counted = made.where(Submission.status != Status.ERROR, or_(Submission.status.in_(IN_FLIGHT), begun))
        midnight = self.clock().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        for most, query, what in (
            (limits.max_submissions, counted, "all {} submissions to {!r}"),
            (
                limits.max_submissions_a_day,
                counted.where(Submission.submitted_at >= midnight),
                "all {} submissions of today (UTC) to {!r}",
            ),
        ):
            if most is not None and session.scalars(query).one() >= most:
                raise LeagueError(f"racer {racer.name!r} has used {what.format(most, race.name)}")
        waiting = session.scalars(made.where(Submission.status.in_(IN_FLIGHT))).one()
        if limits.max_in_flight is not None and waiting >= limits.max_in_flight:
            raise LeagueError(
                f"racer {racer.name!r} has {waiting} of at most {limits.max_in_flight} submissions to {race.name!r} "
                "without a result yet"
            )

    def _must_not_be_final(self, race: Race) -> None:
        must_be(race, self.clock(), State.OPEN, State.CLOSED, State.CANCELLED, to="to change what counts")

    def _judged(self, session: Session, submission: Submission, action: str, reason: str) -> SubmissionView:
        names = {"race": submission.race.name, "racer": submission.racer.name}
        self.note(session, action, reason, submission=submission.id, **names)
        session.flush()
        recount(session, submission.race_id, submission.racer_id)
        return located(session, submission)

    def _admit(self, racer: str, race: str | None, action: str, reason: str, *, stays: bool) -> None:
        with self.store.database.writing() as session:
            found, who = find_race(session, race, lock="write"), find_racer(session, racer)  # nobody holds theirs then
            self._must_not_be_final(found)
            part = session.get(Participant, (found.id, who.id), with_for_update=True)
            if part is None or (part.removed is None) == stays:
                state = "not a racer of" if part is None else "a racer of" if stays else "removed already from"
                raise LeagueError(f"{who.name!r} is {state} {found.name!r}")
            part.removed = None if stays else reason
            if not stays:
                waits = (
                    Submission.race_id == found.id,
                    Submission.racer_id == who.id,
                    Submission.status == Status.QUEUED,
                )
                gone = {"status": Status.WITHDRAWN, "reason": "its racer was removed", "started_at": None}
                session.execute(update(Submission).where(*waits).values(**gone, finished_at=self.clock()))
            self.note(session, action, reason, race=found.name, racer=who.name)


def _first_of_another(session: Session, sha256: str, racer: Racer) -> int | None:
    """The first submission of a bundle, if it is another racer's."""
    first = select(Submission).where(Submission.bundle_sha256 == sha256).order_by(Submission.id).limit(1)
    found = session.scalar(first)
    return found.id if found and found.racer_id != racer.id else None
