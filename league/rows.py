"""What the service gives, as flat rows: for JSON, CSV, and files that are kept."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from league.bracket_heats import Side
    from league.divisions import Move
    from league.evaluation import Run
    from league.heats import HeatResult, HeatRun, HeatStanding
    from league.points import Row
    from league.rules import Score, Standing
    from league.seasons import Seat
    from league.service import (
        BracketView,
        Drive,
        HeatView,
        LiveView,
        Meeting,
        RaceView,
        SeasonNeed,
        SeasonRecord,
        Stage,
        SubmissionView,
    )
    from league.teams import Team

Rows = Sequence[Mapping[str, Any]]


def race_row(race: RaceView) -> dict[str, Any]:
    """A race, its settings among its columns."""
    values = asdict(race)
    settings: dict[str, Any] = values.pop("settings")
    return settings | values


def submission_row(submission: SubmissionView) -> dict[str, Any]:
    """A submission, its score among its columns."""
    return _scored_row(submission)


def live_row(live: LiveView) -> dict[str, Any]:
    """A live race with its submissions and its board."""
    parts = {name: [submission_row(s) for s in getattr(live, name)] for name in ("done", "on_track", "waiting")}
    return {"race": live.race, "state": live.state} | parts | {"board": [standing_row(s) for s in live.board]}


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
    return _scored_row(drive)


def meeting_row(meeting: Meeting) -> dict[str, Any]:
    """A race of two racers."""
    sides = {"first": meeting.first, "second": meeting.second}
    places = {f"{side}_position": standing.position for side, standing in sides.items()}
    times = {f"{side}_time_ms": standing.entry.score.time_ms for side, standing in sides.items()}
    return {"race": meeting.race, "winner": meeting.winner} | places | times


def stage_row(stage: Stage) -> dict[str, Any]:
    """A race of a season; months and groups are counted from 1."""
    values = {"race": stage.race, "state": stage.state, "over": stage.over, "part": stage.part}
    numbers = {name: None if n is None else n + 1 for name, n in (("month", stage.month), ("group", stage.group))}
    return values | {"division": stage.division} | numbers | {"racers": len(stage.board)}


def season_row(record: SeasonRecord) -> dict[str, Any]:
    """A season with its settings and races."""
    races = [stage_row(stage) for stage in record.stages]
    return {"name": record.name, "created_at": record.created_at, "settings": asdict(record.season), "races": races}


def table_row(row: Row) -> dict[str, Any]:
    """A place in the table of a season."""
    return {"position": row.position, "place": row.place, **asdict(row)}


def team_row(team: Team) -> dict[str, Any]:
    """A team's place."""
    return {"position": team.position, "place": team.place, **asdict(team)}


def move_row(move: Move) -> dict[str, Any]:
    """A change of division; the month is counted from 1."""
    return asdict(move) | {"month": move.month + 1}


def seat_row(seat: Seat) -> dict[str, Any]:
    """A seat in the championship; the month is counted from 1."""
    return asdict(seat) | {"month": None if seat.month is None else seat.month + 1}


def heat_row(view: HeatView) -> dict[str, Any]:
    """A heat with its result; who is not known is null."""
    heat, result = view.heat, view.result
    raced = "waiting" if not heat.decided else "raced" if result else "walkover"
    state = "bye" if heat.bye else "ready" if heat.ready else raced
    return {
        "heat": heat.name,
        "round": heat.round,
        "state": "awarded" if view.awarded is not None else state,
        "racers": [_racer(side) for side in heat.sides],
        "winner": _racer(heat.winner),
        "onward": [side for side in heat.onward if isinstance(side, str)],
        "decided_at": view.decided_at,
        "awarded": view.awarded,
        "scratched": dict(view.scratched),
        "standings": [_heat_standing_row(s) for s in result.standings] if result else [],
        "runs": [_heat_run_row(result, run) for run in result.runs] if result else [],
        "replay": None if view.replay is None else str(view.replay),
    }


def bracket_row(view: BracketView) -> dict[str, Any]:
    """A bracket with its heats."""
    bracket = view.bracket
    return {
        "name": view.name,
        "race": view.race,
        "created_at": view.created_at,
        "settings": asdict(view.settings),
        "seeds_sha256": view.seeds_sha256,
        "cars": view.settings.grid,
        "elimination": getattr(bracket, "elimination", None),
        "third_place": getattr(bracket, "third_place", None),
        "seeding": list(bracket.racers),
        "champion": bracket.champion,
        "places": bracket.places,
        "heats": [heat_row(heat) for heat in view.heats],
    }


def season_need_row(need: SeasonNeed) -> dict[str, Any]:
    """What a racer needs in a season."""
    values = {name: getattr(need, name) for name in ("season", "division", "rounds_left", "months")}
    return values | asdict(need.outlook) | {"sure": need.outlook.sure, "possible": need.outlook.possible}


def _scored_row(driven: SubmissionView | Drive) -> dict[str, Any]:
    values = asdict(driven)
    del values["score"]
    return values | score_row(driven.score)


def _racer(side: Side) -> str | None:
    return side if isinstance(side, str) else None


def _heat_standing_row(standing: HeatStanding) -> dict[str, Any]:
    names = ("position", "place", "racer", "median_place", "wins")
    return {name: getattr(standing, name) for name in names} | asdict(standing.finish)


def _heat_run_row(result: HeatResult, run: HeatRun) -> dict[str, Any]:
    finishes = {racer: asdict(finish) for racer, finish in zip(result.racers, run.finishes, strict=True)}
    grid = [result.racers[k] for k in run.grid]
    return {"seed": run.seed, "grid": grid, "finishes": finishes, "replay_sha256": run.replay_sha256}


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
