"""Races of several cars in a league: driven alone first, decided by heats from which the best go on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command

from league.bracket_day import race_bracket
from league.bracket_picture import draw_bracket
from league.brackets import Elimination
from league.database import _migrations
from league.divisions import Division
from league.errors import LeagueError
from league.grids import Grid
from league.heat_receipts import HeatReceipt
from league.heats import Finish, HeatRun
from league.lifecycle import State
from league.points import ByPosition
from league.presets import GRAND_PRIX
from league.races import RaceSettings, RaceType
from league.seasons import Season
from league.service import BracketView, HeatView, League
from league.store import Store
from league.verification import verify
from league.workers import Local, work
from racer_env.replay_file import read
from tests.league.conftest import drain, laps

Bundles = Callable[[int], Path]
FOUR = RaceSettings(race_type=RaceType.GRID, cars=4, laps=1, runs=3)
RACERS = ("Ada", "Bob", "Cy", "Di", "Ed", "Flo")
SEASON = Season((Division("All"),), "All", finale=None, seats=1, wildcards=0, scale=ByPosition((5, 3, 1)))


def qualified(league: League, bundle: Bundles, racers: Sequence[str] = RACERS, settings: RaceSettings = FOUR) -> None:
    """Make a race of several cars, and let racers qualify for it in this order; it is closed then."""
    league.races.create("GP", settings)
    league.races.open("GP")
    for number, racer in enumerate(racers):
        league.submissions.submit(bundle(number), "GP", racer)
        drain(league, laps(10_000 + 100 * number))
    league.races.close("GP")


def score(league: League, heat: str, times: Mapping[str, int | None]) -> HeatView:
    """Write down a heat in which everybody always takes this time, ms; None: does not finish."""
    job = league.brackets.job(None, heat)
    assert list(job.drivers) == list(times)
    finishes = tuple(
        Finish(time, 100.0 if time else 10.0, time, 0, 0, 0, "lap_complete" if time else "off_track")
        for time in times.values()
    )
    runs = tuple(HeatRun(seed, tuple(range(len(times))), finishes, "0" * 64) for seed in job.seeds)
    return league.brackets.score(None, heat, runs)


def race_all(league: League) -> None:
    """Race the heats of six racers, of whom those who started last are the fastest."""
    score(league, "R1.1", {"Ada": 9_003, "Di": 9_002, "Ed": 9_001})
    score(league, "R1.2", {"Bob": 9_003, "Cy": 9_002, "Flo": 9_001})
    score(league, "final", {"Ed": 9_000, "Flo": 9_000, "Cy": None, "Di": 9_100})


def board(league: League) -> list[tuple[str, str]]:
    return [(s.place, s.racer) for s in league.boards.standings("GP")]


def test_a_grid_race_is_driven_alone_and_its_board_is_who_starts_where(league: League, bundle: Bundles) -> None:
    qualified(league, bundle)
    assert [racer for _, racer in board(league)] == list(RACERS)
    assert league.brackets.of_race("GP") is None
    made = league.brackets.create_of_race("Cup", "gp", top=6)
    assert (made.race, made.settings) == ("GP", FOUR)
    assert made.bracket == Grid(RACERS, 4)
    assert list(league.brackets.job("Cup", "R1.2").drivers) == ["Bob", "Cy", "Flo"]
    assert league.brackets.of_race("GP") == made


def test_one_full_grid_races_if_nobody_says_how_many_and_the_others_stand_behind_it(
    league: League, bundle: Bundles
) -> None:
    qualified(league, bundle)
    league.brackets.create_of_race("Cup", "GP")
    score(league, "final", {"Ada": 9_300, "Bob": 9_200, "Cy": 9_100, "Di": 9_000})
    assert [racer for _, racer in board(league)] == ["Di", "Cy", "Bob", "Ada", "Ed", "Flo"]


def test_heats_decide_the_race_once_they_are_over(league: League, bundle: Bundles) -> None:
    qualified(league, bundle)
    with pytest.raises(LeagueError, match="still to be raced: racer league bracket create NAME --race 'GP'"):
        league.races.finalise("GP")
    league.brackets.create_of_race("Cup", "GP", top=6)
    score(league, "R1.1", {"Ada": 9_003, "Di": 9_002, "Ed": 9_001})
    assert [racer for _, racer in board(league)] == list(RACERS)
    with pytest.raises(LeagueError, match="still to be raced: racer league bracket run 'Cup'"):
        league.races.finalise("GP")
    score(league, "R1.2", {"Bob": 9_003, "Cy": 9_002, "Flo": 9_001})
    score(league, "final", {"Ed": 9_000, "Flo": 9_000, "Cy": None, "Di": 9_100})
    decided = [("=1", "Ed"), ("=1", "Flo"), ("3", "Di"), ("4", "Cy"), ("5", "Ada"), ("6", "Bob")]
    assert board(league) == decided
    first = league.boards.standings("GP")[0]
    assert (first.entry.score.time_ms, first.gap_ms, first.submissions) == (10_400, None, 1)
    assert [drive.position for drive in league.boards.history("Ada")] == [5]
    (meeting,) = league.boards.meetings("Ada", "Di")
    assert meeting.winner == "Di"
    assert league.races.finalise("GP").state is State.FINAL
    assert board(league) == decided


def test_a_season_waits_for_the_heats_and_follows_them(league: League, bundle: Bundles) -> None:
    league.seasons.create("2026", SEASON)
    league.races.create("GP", FOUR)
    league.seasons.add(None, "GP")
    league.races.open("GP")
    for number, racer in enumerate(RACERS):
        league.submissions.submit(bundle(number), "GP", racer)
        drain(league, laps(10_000 + 100 * number))
    (need,) = league.needs.times("Bob", "GP", 1)
    assert (need.what, need.time_ms) == ("position 1", 10_000)
    league.races.close("GP")
    season = league.seasons.one()
    assert (season.stages[0].over, season.seats) == (False, ())
    assert season.table()[0].racer == "Ada"
    league.brackets.create_of_race("Cup", "GP", top=6)
    assert not league.seasons.one().stages[0].over
    race_all(league)
    season = league.seasons.one()
    assert season.stages[0].over
    assert [(row.racer, row.points) for row in season.table()][:4] == [("Ed", 5), ("Flo", 5), ("Di", 1), ("Cy", 0)]
    assert [seat.racer for seat in season.seats] == ["Ed"]


def test_a_region_has_its_seats_from_the_heats(league: League, bundle: Bundles) -> None:
    league.seasons.create("2026", SEASON)
    league.races.create("GP", FOUR)
    league.seasons.add(None, "GP")
    league.races.open("GP")
    for number, racer in enumerate(RACERS):
        league.seasons.join(None, racer, region="EU" if number % 2 else "US")
        league.submissions.submit(bundle(number), "GP", racer)
        drain(league, laps(10_000 + 100 * number))
    league.races.close("GP")
    league.brackets.create_of_race("Cup", "GP", top=6)
    race_all(league)
    assert {seat.racer for seat in league.seasons.one().seats} == {"Ed", "Flo"}


def test_who_is_removed_or_disqualified_after_the_heats_is_left_out_and_the_others_move_up(
    league: League, bundle: Bundles
) -> None:
    league.races.create("GP", FOUR)
    league.races.open("GP")
    league.submissions.submit(bundle(9), "GP", "Ed")
    drain(league, laps(11_000))
    for number, racer in enumerate(RACERS):
        league.submissions.submit(bundle(number), "GP", racer)
        drain(league, laps(10_000 + 100 * number))
    league.races.close("GP")
    league.brackets.create_of_race("Cup", "GP", top=6)
    race_all(league)
    league.submissions.remove("Flo", "GP", "a copy")
    assert board(league) == [("1", "Ed"), ("2", "Di"), ("3", "Cy"), ("4", "Ada"), ("5", "Bob")]
    raced = next(s.id for s in league.submissions.all("GP", "Ed") if s.score and s.score.time_ms == 10_400)
    league.submissions.disqualify(raced, "a copy")  # what is left of theirs was in no heat
    assert board(league) == [("1", "Di"), ("2", "Cy"), ("3", "Ada"), ("4", "Bob"), ("5", "Ed")]
    league.submissions.reinstate(raced, "it was none")
    assert board(league)[0] == ("1", "Ed")


def test_a_race_has_one_bracket_once_it_is_closed_and_driven(league: League, bundle: Bundles) -> None:
    league.races.create("GP", FOUR)
    league.races.open("GP")
    for number in range(2):
        league.submissions.submit(bundle(number), "GP", RACERS[number])
    with pytest.raises(LeagueError, match="'GP' is OPEN; to race its heats it takes one that is CLOSED"):
        league.brackets.create_of_race("Cup", "GP")
    league.races.close("GP")
    with pytest.raises(LeagueError, match="has 2 submissions without a result yet"):
        league.brackets.create_of_race("Cup", "GP")
    drain(league, laps(9_000))
    with pytest.raises(LeagueError, match="a double elimination is for heats of two, not for a grid of 4"):
        league.brackets.create_of_race("Cup", "GP", elimination=Elimination.DOUBLE)
    with pytest.raises(LeagueError, match="a heat for the third place is for heats of two"):
        league.brackets.create_of_race("Cup", "GP", third_place=True)
    with pytest.raises(LeagueError, match="'community' is a time_trial: no heats decide it"):
        league.brackets.create_of_race("Cup", "community")
    league.brackets.create_of_race("Cup", "GP")
    with pytest.raises(LeagueError, match="'GP' has its bracket already: 'Cup'"):
        league.brackets.create_of_race("Cup 2", "GP")
    assert [view.name for view in league.brackets.all()] == ["Cup"]


def test_a_bracket_that_was_made_by_mistake_is_released_as_long_as_no_heat_is_decided(
    league: League, bundle: Bundles
) -> None:
    qualified(league, bundle)
    league.brackets.create_of_race("Small", "GP")
    with pytest.raises(LeagueError, match="say why"):
        league.brackets.release("Small", " ")
    assert league.brackets.release("Small", "all six are to race").race is None
    assert [(e.race, e.reason) for e in league.boards.audit() if e.action == "release race"] == [
        ("GP", "all six are to race")
    ]
    with pytest.raises(LeagueError, match="'Small' decides no race"):
        league.brackets.release("Small", "again")
    league.brackets.create_of_race("Cup", "GP", top=6)
    league.brackets.scratch("Cup", "R1.1", "Ada", "ill")
    league.brackets.scratch("Cup", "R1.1", "Di", "ill")
    with pytest.raises(LeagueError, match=r"heat R1\.1 of 'Cup' is decided: it stays what decides 'GP'"):
        league.brackets.release("Cup", "the wrong one won")


def test_a_race_in_which_only_one_finishes_is_decided_without_heats(league: League, bundle: Bundles) -> None:
    qualified(league, bundle, ["Ada"])
    with pytest.raises(LeagueError, match="heats take two, but 1 finished the qualification of 'GP'"):
        league.brackets.create_of_race("Cup", "GP")
    assert league.races.finalise("GP").state is State.FINAL


def test_the_heats_of_a_cancelled_race_are_not_raced(league: League, bundle: Bundles) -> None:
    qualified(league, bundle, RACERS[:3])
    league.brackets.create_of_race("Cup", "GP")
    league.races.cancel("GP", "rain")
    for refused in (
        lambda: league.brackets.job(None, "final"),
        lambda: league.brackets.score(None, "final", ()),
        lambda: league.brackets.scratch(None, "final", "Ada", "rain"),
    ):
        with pytest.raises(LeagueError, match="'GP' is CANCELLED; to race its heats it takes one that is CLOSED"):
            refused()


def test_a_head_to_head_race_is_decided_by_a_knockout(league: League, bundle: Bundles) -> None:
    duel = RaceSettings(race_type=RaceType.HEAD_TO_HEAD, laps=1, runs=1)
    qualified(league, bundle, RACERS[:3], duel)
    league.brackets.create_of_race("Cup", "GP", third_place=True)
    score(league, "W1.2", {"Bob": 9_000, "Cy": 8_000})
    score(league, "W2.1", {"Ada": 9_000, "Cy": 8_000})
    assert board(league) == [("1", "Cy"), ("2", "Ada"), ("3", "Bob")]
    assert league.races.finalise("GP").state is State.FINAL


def test_who_cannot_race_is_scratched_and_stands_last(league: League, bundle: Bundles) -> None:
    qualified(league, bundle, RACERS[:4])
    league.brackets.create_of_race("Cup", "GP")
    with pytest.raises(LeagueError, match="say who cannot race: racer league bracket scratch final"):
        league.brackets.award(None, "final", "Bob", "the others left")
    with pytest.raises(LeagueError, match="say why"):
        league.brackets.scratch(None, "final", "Ada", " ")
    left = league.brackets.scratch(None, "final", "ada", "her driver has no weights")
    assert (left.scratched, left.result) == ({"Ada": "her driver has no weights"}, None)
    with pytest.raises(LeagueError, match="'Ada' does not start in heat final, but Bob, Cy, Di do"):
        league.brackets.scratch(None, "final", "Ada", "again")
    done = score(league, "final", {"Bob": 9_002, "Cy": 9_001, "Di": 9_000})
    assert done.heat.order == ("Di", "Cy", "Bob", "Ada")
    assert board(league) == [("1", "Di"), ("2", "Cy"), ("3", "Bob"), ("4", "Ada")]
    entry = next(e for e in league.boards.audit() if e.action == "scratch from heat")
    assert (entry.racer, entry.reason, entry.details) == (
        "Ada",
        "her driver has no weights",
        {"bracket": "Cup", "heat": "final"},
    )
    for change in ("UPDATE scratches SET reason = 'none'", "DELETE FROM scratches"):
        with pytest.raises(LeagueError, match="cannot be"), league.store.database.writing() as session:
            session.execute(sa.text(change))


def test_a_heat_that_was_driven_with_a_racer_who_was_scratched_meanwhile_is_raced_again(
    league: League, bundle: Bundles
) -> None:
    qualified(league, bundle, RACERS[:3])
    league.brackets.create_of_race("Cup", "GP")
    finish = Finish(9_000, 100.0, 9_000, 0, 0, 0, "lap_complete")
    driven = [HeatRun(seed, (0, 1, 2), (finish,) * 3) for seed in league.brackets.job(None, "final").seeds]
    league.brackets.scratch(None, "final", "Bob", "ill")
    with pytest.raises(LeagueError, match="who starts in heat final has changed while it was driven: race it again"):
        league.brackets.score(None, "final", driven)
    assert score(league, "final", {"Ada": 9_001, "Cy": 9_000}).heat.order == ("Cy", "Ada", "Bob")


def test_who_is_left_alone_has_won_the_race(league: League, bundle: Bundles) -> None:
    qualified(league, bundle, RACERS[:3])
    league.brackets.create_of_race("Cup", "GP")
    league.brackets.scratch(None, "final", "Ada", "gone")
    done = league.brackets.scratch(None, "final", "Cy", "gone")
    assert (done.heat.winner, done.heat.ready) == ("Bob", False)
    assert board(league) == [("1", "Bob"), ("=2", "Ada"), ("=2", "Cy")]
    assert league.races.finalise("GP").state is State.FINAL


def test_in_a_heat_of_two_the_other_one_wins(league: League, bundle: Bundles) -> None:
    qualified(league, bundle, RACERS[:2], RaceSettings(race_type=RaceType.HEAD_TO_HEAD, laps=1, runs=1))
    league.brackets.create_of_race("Cup", "GP")
    done = league.brackets.scratch(None, "W1.1", "Ada", "gone")
    assert (done.heat.winner, done.awarded) == ("Bob", "gone")


def test_a_grid_may_be_made_of_any_board_and_decides_no_race_then(league: League, bundle: Bundles) -> None:
    for number, racer in enumerate(RACERS):
        league.submissions.submit(bundle(number), "community", racer)
    drain(league, laps(9_000))
    made = league.brackets.create("Cup", FOUR, RACERS)
    assert (made.race, len(made.bracket.ready)) == (None, 2)
    race_all(league)
    assert list(league.brackets.one().bracket.places)[:2] == ["Ed", "Flo"]
    assert [s.racer for s in league.boards.standings("community")] == list(RACERS)


def test_a_league_of_the_step_before_keeps_its_brackets_when_it_is_upgraded(league: League, bundle: Bundles) -> None:
    for number, racer in enumerate(RACERS[:2]):
        league.submissions.submit(bundle(number), "community", racer)
    drain(league, laps(9_000))
    league.brackets.create("Cup", RaceSettings(race_type=RaceType.HEAD_TO_HEAD, runs=1), RACERS[:2])
    score(league, "W1.1", {"Ada": 9_000, "Bob": 8_000})
    before = league.brackets.all()
    with league.store.database.writing() as session:
        config = _migrations()
        config.attributes["connection"] = session.connection()
        command.downgrade(config, "0003")
    with pytest.raises(LeagueError, match="is at revision 0003"):
        League(league.store.folder)
    Store.upgraded(league.store.folder).database.close()
    assert league.brackets.all() == before
    qualified(league, bundle, RACERS[:3])
    league.brackets.create_of_race("Second cup", "GP")
    assert [view.race for view in league.brackets.all()] == [None, "GP"]


@pytest.mark.slow
def test_a_real_grid_race_is_raced_in_heats_and_comes_out_the_same_again(
    tmp_path: Path, road_follower: Callable[[float], Path]
) -> None:
    league = League.create(tmp_path / "league", RaceSettings(laps=1, runs=1))
    settings = replace(GRAND_PRIX, track="speedway", cars=3, laps=1, runs=1, randomisation="mild", time_limit=60.0)
    league.races.create("GP", settings)
    league.races.open("GP")
    for racer, speed in (("Slow", 0.7), ("Fast", 1.0), ("Middle", 0.85), ("Second", 0.95)):
        league.submissions.submit(road_follower(speed), "GP", racer)
    assert all(
        e.submission.score and e.submission.score.finished for e in work(league, Local(1), drain=True) if not e.started
    )
    league.races.close("GP")
    order = tuple(s.racer for s in league.boards.standings("GP"))
    assert set(order) == {"Slow", "Fast", "Middle", "Second"}
    league.brackets.create_of_race("Cup", "GP", top=4)
    events = race_bracket(league)
    for event in events:
        if not event.started:
            break  # killed between two heats
    events.close()
    decided = [event.heat for event in race_bracket(league) if not event.started]
    assert [view.heat.name for view in decided] == ["R1.2", "final"]
    final: BracketView = league.brackets.one()
    assert [s.racer for s in league.boards.standings("GP")] == list(final.bracket.places)
    shown = final.heats[-1]
    assert shown.replay
    assert read(shown.replay).names == shown.heat.sides  # in the order of the starting grid
    file = tmp_path / "heat.json"
    file.write_text(league.brackets.receipt(None, "final") + "\n")
    verified = verify(file, league.store)
    assert isinstance(verified, HeatReceipt)
    assert verified.result == shown.result
    assert draw_bracket(final).size[0] >= 560
    assert league.races.finalise("GP").state is State.FINAL
