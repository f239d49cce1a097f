"""What the service gives, as flat rows: for JSON, CSV, and files that are kept."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from league.evaluation import Run
    from league.rules import Score, Standing
    from league.service import Drive, Meeting, RaceView, SubmissionView

Rows = Sequence[Mapping[str, Any]]


def race_row(race: RaceView) -> dict[str, Any]:
    """A race, its settings among its columns."""
    values = asdict(race)
    settings: dict[str, Any] = values.pop("settings")
    return settings | values


def submission_row(submission: SubmissionView) -> dict[str, Any]:
    """A submission, its score among its columns."""
    values = asdict(submission)
    del values["score"]
    return values | score_row(submission.score)


def score_row(score: Score | None) -> dict[str, Any]:
    """A score; nothing is known of what has not driven."""
    names = ("time_ms", "progress_percentage", "laps", "off_track_count")
    return {name: getattr(score, name, None) for name in names}


def run_row(run: Run) -> dict[str, Any]:
    """A run with its laps."""
    laps = [{**asdict(lap), "valid": lap.valid, "reset_count": lap.reset_count} for lap in run.laps]
    return {"seed": run.seed, "trace_sha256": run.trace_sha256, "laps": laps}


def standing_row(standing: Standing) -> dict[str, Any]:
    """A place on a board."""
    entry = standing.entry
    return {
        "position": standing.position,
        "place": standing.place,
        "racer": entry.racer,
        "finished": entry.score.time_ms is not None,
        "time_ms": entry.score.time_ms,
        "gap_ms": standing.gap_ms,
        **score_row(entry.score),
        "submissions": standing.submissions,
        "submission": entry.submission,
        "submitted_at": entry.submitted_at,
    }


def drive_row(drive: Drive) -> dict[str, Any]:
    """A line of a racer's history."""
    values = asdict(drive)
    del values["score"]
    return values | score_row(drive.score)


def meeting_row(meeting: Meeting) -> dict[str, Any]:
    """A race of two racers."""
    sides = {"first": meeting.first, "second": meeting.second}
    places = {f"{side}_position": standing.position for side, standing in sides.items()}
    times = {f"{side}_time_ms": standing.entry.score.time_ms for side, standing in sides.items()}
    return {"race": meeting.race, "winner": meeting.winner} | places | times


def to_json(rows: Rows | Mapping[str, Any]) -> str:
    """Rows as JSON; times are ISO 8601."""
    return json.dumps(rows, indent=2, ensure_ascii=False, default=lambda time: time.isoformat())


def to_csv(rows: Rows) -> str:
    """Rows as CSV with a header; times are ISO 8601. A cell that a spreadsheet would compute is made a text."""
    out = io.StringIO()
    if rows:
        writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return out.getvalue()


def _cell(value: Any) -> Any:
    if hasattr(value, "isoformat"):
        return value.isoformat()
    text = json.dumps(value) if isinstance(value, dict | list | tuple) else value
    return f"'{text}" if isinstance(text, str) and text[:1] in ("=", "+", "-", "@") else text
