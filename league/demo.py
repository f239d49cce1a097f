"""A whole season as a demonstration: twelve drivers, three rounds, a table, a bracket, replays and pictures.

The folder is a league like any other, with ``drivers/`` and ``pictures/`` beside what a league has. What is done is
not done again: a demonstration that was broken off goes on where it was.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from league.bracket_day import race_bracket
from league.demo_drivers import Style, teach
from league.divisions import Division
from league.errors import LeagueError
from league.lifecycle import State
from league.points import ByPosition
from league.races import RaceSettings, RaceType
from league.rules import Standing
from league.seasons import Season
from league.service import League
from league.store import CONFIG, Store, make_folder, write
from league.workers import POLL, Local, work
from racer_env.replay import Replay

SEASON, BRACKET, DIVISION = "Demo season", "Demo final", "Open"


@dataclass(frozen=True)
class Programme:
    """What a demonstration consists of."""

    styles: Sequence[Style]
    teams: Mapping[str, Sequence[str]]
    rounds: Mapping[str, str]  #: their tracks
    arena: str  #: the track of the bracket
    best: int  #: of the table who race in the bracket
    race: RaceSettings  #: of every round, but for the track
    heat: RaceSettings  #: of the bracket, but for the track


PROGRAMME = Programme(
    styles=(
        Style("Ada", top_speed=3.2, slowest=1.2, caution=3.0, look_ahead=1.0, offset=-0.05),
        Style("Alan", top_speed=2.8, slowest=1.2),
        Style("Blaise", top_speed=1.6, slowest=0.8, caution=2.0),
        Style("Carl", top_speed=2.6, slowest=1.0, look_ahead=0.9, offset=-0.12),
        Style("Edsger", top_speed=1.9, slowest=0.9, look_ahead=0.7),
        Style("Emmy", top_speed=3.0, slowest=1.0, caution=3.0, offset=0.1),
        Style("Grace", top_speed=2.9, slowest=1.1, caution=2.8, look_ahead=0.9),
        Style("Hedy", top_speed=2.4, slowest=1.1, look_ahead=0.7, offset=0.08),
        Style("Katherine", top_speed=2.7, slowest=1.1, caution=2.8, look_ahead=0.9, offset=0.05),
        Style("Kurt", top_speed=3.6, slowest=1.4, caution=2.2),
        Style("Rosalind", top_speed=2.2, slowest=1.0, look_ahead=0.7, offset=0.12),
        Style("Sofia", top_speed=2.5, slowest=1.2, look_ahead=0.8, offset=-0.08),
    ),
    teams={
        "Amber": ("Ada", "Alan", "Blaise"),
        "Azure": ("Carl", "Edsger", "Emmy"),
        "Coral": ("Grace", "Hedy", "Katherine"),
        "Olive": ("Kurt", "Rosalind", "Sofia"),
    },
    rounds={"Round 1": "oval", "Round 2": "kidney", "Round 3": "chicane"},
    arena="speedway",
    best=8,
    race=RaceSettings(laps=3, runs=3, randomisation="mild", max_submissions=1),
    heat=RaceSettings(race_type=RaceType.HEAD_TO_HEAD, laps=2, runs=3, randomisation="mild"),
)


@dataclass(frozen=True)
class Told:
    """Something to tell whoever watches."""

    text: str
    lasting: bool = False  #: worth keeping; else what is being done now


def demonstrate(folder: Path, workers: int = 2, programme: Programme = PROGRAMME) -> Generator[Told, None, None]:
    """Make the season, or go on with it.

    Args:
        folder: the league's; is made if it is not there.
        workers: submissions that are driven at a time.
        programme: what it consists of; the same one each time.

    Yields:
        What is being done, and what has been.

    Raises:
        LeagueError: the folder holds another league, or cannot be written.
    """
    league = _league(folder, programme)
    make_folder(folder / "drivers")
    make_folder(folder / "pictures")
    files = {style.name: folder / "drivers" / f"{style.name}.tar.gz" for style in programme.styles}
    yield from _make_drivers(files, programme)
    yield Told("loading the simulator ...")
    engine = Local(workers)
    for name, track in programme.rounds.items():
        yield from _race_round(league, engine, name, replace(programme.race, track=track), files)
    yield from _race_bracket(league, programme)
    yield from _draw_rounds(league, folder / "pictures", programme.rounds)
    yield from _draw_bracket(league, folder / "pictures")
    yield Told(f"pictures, the film of the final and replays: {folder / 'pictures'}", lasting=True)


def _league(folder: Path, programme: Programme) -> League:
    """The demonstration's league, new or as far as it was."""
    if not (folder / CONFIG).exists():
        Store.create(folder)
    league = League(folder)
    if SEASON not in [season.name for season in league.seasons.all()]:
        if league.races.all():
            raise LeagueError(f"{folder} holds another league; say another folder for the demonstration")
        season = Season(
            (Division(DIVISION),),
            DIVISION,
            finale=None,
            seats=0,
            wildcards=0,
            scale=ByPosition(finished=1),
            months=len(programme.rounds),
        )
        league.seasons.create(SEASON, season)
    joined = league.seasons.one(SEASON).team_of
    for team, racers in programme.teams.items():
        for racer in racers:
            if racer not in joined:
                league.seasons.join(SEASON, racer, team=team)
    return league


def _make_drivers(files: Mapping[str, Path], programme: Programme) -> Iterator[Told]:
    if all(file.exists() for file in files.values()):
        return
    tracks = list(dict.fromkeys((*programme.rounds.values(), programme.arena)))
    yield Told(f"{len(files)} drivers learn on {', '.join(tracks)} ...")
    for name, bundle in teach(tracks, programme.styles).items():
        bundle.write(files[name])
    yield Told(f"{len(files)} drivers have learnt from a teacher's pictures", lasting=True)


def _race_round(
    league: League, engine: Local, name: str, settings: RaceSettings, files: Mapping[str, Path]
) -> Iterator[Told]:
    """Make a race, let everybody drive, and make its result final."""
    if name not in [race.name for race in league.races.all()]:
        league.races.create(name, settings)
    if name not in [stage.race for stage in league.seasons.one(SEASON).stages]:
        league.seasons.add(SEASON, name)
    if league.races.one(name).state is State.DRAFT:
        league.races.open(name)
    if league.races.one(name).state is State.OPEN:
        yield from _drive_all(league, engine, name, files)
        league.races.close(name)
    if league.races.one(name).state is State.CLOSED:
        league.races.finalise(name)
        best = ", ".join(f"{s.place}. {s.racer}" for s in league.boards.standings(name)[:3])
        yield Told(f"{name} on {settings.track}: {best}", lasting=True)


def _drive_all(league: League, engine: Local, race: str, files: Mapping[str, Path]) -> Iterator[Told]:
    entered = {submission.racer for submission in league.submissions.all(race)}
    for racer, file in files.items():
        if racer not in entered:
            yield Told(f"{race}: {racer} submits ...")
            league.submissions.submit(file, race, racer)
    while league.races.one(race).waiting:
        with closing(work(league, engine, drain=True)) as events:
            for event in events:
                waiting = league.races.one(race).waiting
                yield Told(f"{race}: {len(files) - waiting} of {len(files)} have driven ({event.submission.racer}) ...")
        if league.races.one(race).waiting:
            yield Told(f"{race}: a worker that was killed holds a submission for a minute ...")
            time.sleep(POLL)


def _race_bracket(league: League, programme: Programme) -> Iterator[Told]:
    if BRACKET not in [bracket.name for bracket in league.brackets.all()]:
        best = [row.racer for row in league.seasons.table(SEASON)][: programme.best]
        heat = replace(programme.heat, track=programme.arena)
        league.brackets.create(BRACKET, heat, best, third_place=True)
    for event in race_bracket(league, BRACKET):
        heat_now = event.heat.heat
        said = f"{BRACKET}, heat {heat_now.name}: {' - '.join(map(str, heat_now.sides))}"
        yield Told(f"{said} ..." if event.started else f"{said}: {heat_now.winner} goes on")
    champion = league.brackets.one(BRACKET).bracket.champion
    yield Told(f"{BRACKET} on {programme.arena}: {champion} wins", lasting=True)


def _draw_rounds(league: League, folder: Path, rounds: Iterable[str]) -> Iterator[Told]:
    """The best two of each round side by side, and the winner's replay."""
    from racer_env.comparison import compare, lap_trace  # noqa: PLC0415 (loaded when there is something to draw)
    from racer_env.render import save_picture  # noqa: PLC0415
    from racer_env.render.comparison_picture import draw_comparison  # noqa: PLC0415
    from racer_env.replay_file import encode  # noqa: PLC0415

    for name in rounds:
        picture = folder / f"{name.lower().replace(' ', '-')}.png"
        if not picture.exists():
            yield Told(f"drawing {name} ...")
            one, other = _best_laps(league, name)
            write(picture.with_suffix(".replay"), encode(one))
            save_picture(draw_comparison(compare(lap_trace(one), lap_trace(other))), picture)


def _draw_bracket(league: League, folder: Path) -> Iterator[Told]:
    """The bracket, the replays of its heats, and the final as a picture and a film."""
    from league.bracket_picture import draw_bracket  # noqa: PLC0415
    from racer_env.render import save_picture  # noqa: PLC0415
    from racer_env.render.replay_export import export  # noqa: PLC0415
    from racer_env.replay_file import read  # noqa: PLC0415

    shown = league.brackets.one(BRACKET)
    save_picture(draw_bracket(shown), folder / "bracket.png")
    driven = {view.heat.name: view.replay for view in shown.heats if view.replay}
    for name, replay in driven.items():
        write(folder / f"heat-{name}.replay", replay.read_bytes())
    final = read(driven[[name for name in driven if name != "third"][-1]])
    export(final, folder / "final.png")
    film = folder / ("final.mp4" if find_spec("imageio_ffmpeg") else "final.gif")
    if not film.exists():
        yield Told(f"filming the final: {film} ...")
        export(final, film)


def _best_laps(league: League, race: str) -> tuple[Replay, Replay]:
    """The winner's run that counted, and the second's under the same seed; or the next in which both complete a lap."""
    first, second = league.boards.standings(race)[:2]
    one, other = _replays(league, first), _replays(league, second)
    settings, runs = league.races.one(race).settings, league.submissions.runs(first.entry.submission)
    counted = settings.counted([run.laps for run in runs])
    pairs = [(one[k % len(one)], other[k % len(one)]) for k in range(counted, counted + len(one))]
    return next((pair for pair in pairs if all(replay.best_lap() for replay in pair)), pairs[0])


def _replays(league: League, standing: Standing) -> list[Replay]:
    """The replay of each run of what counts on a board."""
    number = standing.entry.submission
    runs = range(1, len(league.submissions.runs(number)) + 1)
    return [league.submissions.replay(number, run) for run in runs]
