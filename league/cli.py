"""``racer league``: make a league and its races, submit drivers, drive them, see who leads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from league.races import RaceSettings
    from league.rules import Lap, Score, Standing
    from league.service import League, RaceView, SubmissionView

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Race trained drivers against each other.")

Folder = Annotated[Path, typer.Option("--league", envvar="RACER_LEAGUE", help="The league's folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
RaceName = Annotated[str | None, typer.Option("--race", help="Which race; needed when there are several.")]
Track = Annotated[str, typer.Option(help="A track's name (racer tracks list) or its .npy file.")]
HERE = Path("league-data")


@app.command()
def init(folder: Folder = HERE, track: Track = "oval") -> None:
    """Make a league with one race: a time trial of three laps in which the best lap counts."""
    from league.races import RaceSettings
    from league.service import League

    made = League.create(folder, RaceSettings(track=track))
    typer.echo(f"{folder}: a league with the race {_race_line(made.race())}")


@app.command()
def create(
    *,
    name: Annotated[str, typer.Argument(help="What the race is called.")],
    folder: Folder = HERE,
    track: Track = "oval",
    reverse: Annotated[bool, typer.Option("--reverse", help="Drive the track the other way.")] = False,
    laps: Annotated[int, typer.Option(help="Laps to drive, 1 to 20.")] = 3,
    minimum_laps: Annotated[
        int | None,
        typer.Option(
            "--min-laps",
            help="Laps in a row that qualify, and that are averaged; 1 for best_lap, else all, if not said.",
        ),
    ] = None,
    ranking: Annotated[str, typer.Option(help="best_lap, total_time or average_lap.")] = "best_lap",
    continuous: Annotated[bool, typer.Option(help="One flying run, or a start for every lap.")] = True,
    resets: Annotated[int, typer.Option(help="How often a car is put back before its run ends.")] = 15,
    off_track_penalty: Annotated[float, typer.Option(help="Seconds.")] = 5.0,
    collision_penalty: Annotated[float, typer.Option(help="Seconds.")] = 5.0,
    time_limit: Annotated[float, typer.Option(help="Seconds for the whole run; 0: none.")] = 180.0,
    max_submissions: Annotated[int, typer.Option(help="Of one racer; 0: no limit.")] = 50,
    seed: Annotated[int, typer.Option(help="The same driver always gets the same result under it.")] = 0,
) -> None:
    """Add a race."""
    from league.races import RaceSettings, default_minimum_laps, ranking_of
    from league.service import League

    compared = ranking_of(ranking)
    settings = RaceSettings(
        track=track,
        reverse=reverse,
        laps=laps,
        minimum_laps=default_minimum_laps(compared, laps) if minimum_laps is None else minimum_laps,
        ranking=compared,
        continuous=continuous,
        resets=resets,
        off_track_penalty=off_track_penalty,
        collision_penalty=collision_penalty,
        time_limit=None if time_limit == 0 else time_limit,
        max_submissions=None if max_submissions == 0 else max_submissions,
    )
    typer.echo(f"created the race {_race_line(League(folder).create_race(name, settings, seed=seed))}")


@app.command()
def races(folder: Folder = HERE, as_json: AsJson = False) -> None:
    """List the races."""
    from league.service import League

    found = League(folder).races()
    if as_json:
        _print_json([_race_row(race) for race in found])
        return
    rows = [(race.name, *_summary(race.settings), str(race.racers), str(race.submissions)) for race in found]
    _print_table("Race|Track|Ranking|>Laps|>Off track|>Resets|>Time limit|>Racers|>Submissions", rows)


@app.command()
def submit(
    bundle: Annotated[Path, typer.Argument(help="A driver's .tar.gz, as racer export and the AWS console write it.")],
    racer: Annotated[str, typer.Option(help="Who submits.")],
    race: RaceName = None,
    folder: Folder = HERE,
) -> None:
    """Check a driver and put it in a race's queue."""
    from league.service import League

    queued = League(folder).submit(bundle, race, racer)
    typer.echo(f"submission {queued.id}: {queued.racer} in {queued.race}, queued; racer league run drives it")


@app.command()
def submissions(
    race: Annotated[str | None, typer.Option(help="Only of this race.")] = None,
    racer: Annotated[str | None, typer.Option(help="Only of this racer.")] = None,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """List the submissions and what became of them."""
    from league.service import League

    found = League(folder).submissions(race, racer)
    if as_json:
        _print_json([_submission_row(submission) for submission in found])
        return
    rows = [(str(s.id), s.race, s.racer, f"{s.submitted_at:%Y-%m-%d %H:%M:%S}", s.status, _outcome(s)) for s in found]
    _print_table(">No.|Race|Racer|Submitted (UTC)|Status|Result", rows)


@app.command()
def run(
    folder: Folder = HERE,
    retry: Annotated[bool, typer.Option("--retry", help="Also drive again what failed with ERROR.")] = False,
) -> None:
    """Drive every queued submission; Ctrl-C stops, and the next run goes on."""
    from league.models import Status
    from league.service import League

    league = League(folder)
    if retry:
        league.retry()
    try:
        results = _run_with_progress(league)
    except KeyboardInterrupt:
        typer.echo("stopped; racer league run goes on where it was", err=True)
        raise typer.Exit(130) from None
    if not results:
        typer.echo("the queue is empty")
    if Status.ERROR in results:
        raise typer.Exit(1)


@app.command()
def standings(race: RaceName = None, folder: Folder = HERE, as_json: AsJson = False) -> None:
    """Show who leads a race."""
    from league.service import League

    league = League(folder)
    shown = league.race(race)
    board = league.standings(shown.name)
    if as_json:
        _print_json([_standing_row(standing) for standing in board])
        return
    rows = [
        (
            s.place,
            s.entry.racer,
            _time(s.entry.score),
            "" if not s.gap_ms else f"+{s.gap_ms / 1000:.3f}",
            str(s.entry.score.laps),
            str(s.entry.score.off_track_count),
            str(s.submissions),
        )
        for s in board
    ]
    typer.echo(_race_line(shown))
    _print_table(">Rank|Racer|>Time|>Gap|>Laps|>Off-tracks|>Submissions", rows)


def _run_with_progress(league: League) -> list[str]:
    """Drive the queue, one line for each submission; the statuses they end with."""
    from rich.console import Console
    from rich.text import Text

    from league.models import Status

    results: list[str] = []
    console = Console(highlight=False)
    with console.status("") as progress:
        for submission in league.run():
            line = f"{submission.id:>4}  {submission.race}  {submission.racer}"
            if submission.status is Status.RUNNING:
                progress.update(Text(f"{line}  on the track ..."))
            else:
                console.print(Text(f"{line}  {submission.status}  {_outcome(submission)}"), soft_wrap=True)
                results.append(submission.status)
    return results


def _time(score: Score) -> str:
    """Minutes, seconds and milliseconds, or how far a driver came who did not finish."""
    if score.time_ms is None:
        return f"DNF after {int(score.progress_percentage) / 100:.2f} laps"
    seconds, milliseconds = divmod(score.time_ms, 1000)
    return f"{seconds // 60:02d}:{seconds % 60:02d}.{milliseconds:03d}"


def _outcome(submission: SubmissionView) -> str:
    if submission.score is None:
        return submission.reason or ""
    laps = ", ".join(f"{lap.time_ms / 1000:.3f}" for lap in submission.laps if lap.valid)
    return _time(submission.score).removeprefix("DNF ") + (f"  (laps {laps})" if laps else "")


def _race_line(race: RaceView) -> str:
    track, ranking, laps, penalty, resets, limit = _summary(race.settings)
    end = f", limit {limit}" if limit else ""
    return f"{race.name}: {track}, {ranking} of {laps} laps, off track {penalty}, {resets} resets{end}"


def _summary(settings: RaceSettings) -> tuple[str, str, str, str, str, str]:
    """The settings that a racer asks for first."""
    track = Path(settings.track).stem + (" (reverse)" if settings.reverse else "")
    ranking = settings.ranking.replace("_", " ")
    if settings.ranking == "average_lap" and settings.minimum_laps != settings.laps:
        ranking = f"average of {settings.minimum_laps} in a row"
    limit = "" if settings.time_limit is None else f"{settings.time_limit:g} s"
    penalty = f"+{settings.off_track_penalty:g} s"
    return track, ranking, str(settings.laps), penalty, str(settings.resets), limit


def _race_row(race: RaceView) -> dict[str, Any]:
    counts = {"racers": race.racers, "submissions": race.submissions}
    said = {"name": race.name, "created_at": race.created_at, "seeds": race.seeds}
    return {**said, **asdict(race.settings), **counts}


def _submission_row(submission: SubmissionView) -> dict[str, Any]:
    score = vars(submission.score) if submission.score else None
    runs = [_lap_rows(run) for run in submission.runs]
    return {**vars(submission), "score": score, "laps": _lap_rows(submission.laps), "runs": runs}


def _lap_rows(laps: Sequence[Lap]) -> list[dict[str, Any]]:
    return [{**vars(lap), "valid": lap.valid, "reset_count": lap.reset_count} for lap in laps]


def _standing_row(standing: Standing) -> dict[str, Any]:
    entry, score = standing.entry, standing.entry.score
    return {
        "position": standing.position,
        "place": standing.place,
        "racer": entry.racer,
        "finished": score.time_ms is not None,
        "time_ms": score.time_ms,
        "gap_ms": standing.gap_ms,
        "progress_percentage": score.progress_percentage,
        "laps": score.laps,
        "off_track_count": score.off_track_count,
        "submissions": standing.submissions,
        "submission": entry.submission,
        "submitted_at": entry.submitted_at,
    }


def _print_json(rows: list[dict[str, Any]]) -> None:
    import json

    typer.echo(json.dumps(rows, indent=2, ensure_ascii=False, default=lambda time: time.isoformat()))


def _print_table(header: str, rows: Sequence[Sequence[str]]) -> None:
    """A table of plain texts; a column whose name begins with ``>`` is set to the right."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for name in header.split("|"):
        table.add_column(name.lstrip(">"), justify="right" if name.startswith(">") else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)
