"""``racer league live``: what the organiser of a live race does, with an audience."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from league.output_cli import HERE, AsJson, Folder, Number, Reason, outcome, print_json, print_table, race_line, time_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from league.rules import Standing
    from league.service import League, SubmissionView

app = typer.Typer(no_args_is_help=True, help="Live races: who is next, launch, reorder.")

Which = Annotated[str, typer.Argument(help="The live race.")]


@app.command("show")
def show_live(race: Which, folder: Folder = HERE, as_json: AsJson = False) -> None:
    """Show who has driven, who is on the track, who is next, and the board."""
    from league.rows import live_row
    from league.service import League

    league = League(folder)
    shown = league.live.show(race)
    if as_json:
        print_json(live_row(shown))
        return
    typer.echo(race_line(league.races.one(race)))
    everyone = (*shown.done, *shown.on_track, *shown.waiting)
    print_table(
        ">Turn|Racer|>Submission|Status|Result",
        [(s.turn, s.racer, s.id, "ON THE TRACK" if s in shown.on_track else s.status, _result(s)) for s in everyone],
    )
    print_table(
        ">Rank|Racer|>Time|>Gap",
        [
            (b.place, b.racer, time_of(b.entry.score), f"+{b.gap_ms / 1000:.3f}" if b.gap_ms else "")
            for b in shown.board
        ],
    )


@app.command()
def launch(
    race: Which,
    number: Annotated[int | None, typer.Argument(metavar="SUBMISSION", help="This one; else the next.")] = None,
    everyone: Annotated[bool, typer.Option("--all", help="All that wait, one after the other.")] = False,
    queue: Annotated[bool, typer.Option("--queue", help="Leave it to racer league work.")] = False,
    folder: Folder = HERE,
) -> None:
    """Drive the next in the running order, here and now; Ctrl-C puts it back at its place."""
    from league.service import League

    if everyone and number is not None:
        raise typer.BadParameter("a submission and --all exclude each other")
    league = League(folder)
    if queue:
        for released in league.live.release(race, number, everyone=everyone):
            typer.echo(f"{_line(released)}  {outcome(released)}; racer league work drives it")
        return
    try:
        failed = _launch(league, race, number, everyone)
    except KeyboardInterrupt:
        typer.echo("stopped; racer league live launch goes on where it was", err=True)
        raise typer.Exit(130) from None
    waiting = league.live.show(race).waiting
    typer.echo(f"next: {_line(waiting[0]).strip()}; {len(waiting)} wait" if waiting else "nobody waits")
    if failed:
        raise typer.Exit(1)


@app.command()
def order(
    race: Which,
    numbers: Annotated[list[int] | None, typer.Argument(metavar="SUBMISSION", help="These first.")] = None,
    after: Annotated[
        str | None,
        typer.Option(help="Or as on this race's board, the last first; who is not on it before them."),
    ] = None,
    folder: Folder = HERE,
) -> None:
    """Change who starts when: the submissions that you name first, the others after them as they were."""
    from league.service import League

    if bool(numbers) == (after is not None):
        raise typer.BadParameter("say submissions, or --after RACE")
    live = League(folder).live
    if after is None:
        made, others = live.order(race, numbers or []), tuple[str, ...]()
    else:
        made, others = live.order_by_board(race, after)
    print_table(">Turn|Racer|>Submission", [(s.turn, s.racer, s.id) for s in made])
    if others:
        typer.echo(f"not on the board of {after}, and so first: {', '.join(others)}")


@app.command()
def drop(number: Number, reason: Reason, folder: Folder = HERE) -> None:
    """Take out a submission that waits; it is not counted as one of its racer's."""
    from league.service import League

    done = League(folder).live.drop(number, reason)
    typer.echo(f"submission {done.id} of {done.racer} in {done.race} is dropped")


def _launch(league: League, race: str, number: int | None, everyone: bool) -> bool:
    """Drive, one line for each result; whether anything failed for good."""
    from rich.console import Console
    from rich.text import Text

    from league.live_day import race_live
    from league.models import Status

    console, failed = Console(highlight=False), False
    with (
        console.status("loading the simulator ...") as progress,
        closing(race_live(league, race, number, everyone=everyone)) as events,
    ):
        for event in events:
            s = event.submission
            if event.started:
                progress.update(Text(f"{_line(s)}  on the track ..."))
                continue
            place = _place(s, league.boards.standings(race))
            console.print(Text(f"{_line(s)}  {s.status}  {outcome(s)}{place}"), soft_wrap=True)
            failed = failed or s.status is Status.ERROR
    return failed


def _line(submission: SubmissionView) -> str:
    return f"{submission.id:>4}  {submission.racer}"


def _result(submission: SubmissionView) -> str:
    return "" if submission.turn else outcome(submission)


def _place(submission: SubmissionView, board: Sequence[Standing]) -> str:
    """Where a racer stands now who has driven, and with what, if not with this."""
    standing = next((s for s in board if s.racer == submission.racer), None)
    if standing is None or submission.score is None:
        return ""
    still = "" if standing.entry.submission == submission.id else f" with {time_of(standing.entry.score)}"
    return f", place {standing.place} of {len(board)}{still}"
