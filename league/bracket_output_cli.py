"""How ``racer league bracket`` prints brackets and their heats."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from league.output_cli import milliseconds, print_table

if TYPE_CHECKING:
    from league.heats import Finish
    from league.service import BracketView, HeatView


def kind_of(view: BracketView) -> str:
    """What a bracket is, in words."""
    from league.brackets import Bracket

    if isinstance(view.bracket, Bracket):
        return f"{view.bracket.elimination} elimination"
    return f"grid of {view.bracket.cars}"


def line_of(view: HeatView) -> str:
    """A heat in one line."""
    racers = " - ".join(_name(side) for side in view.heat.sides)
    if view.result is None:
        result = ""
    elif len(view.heat.sides) == 2:
        result = f"  {view.heat.winner} wins {_wins(view)}"
    else:
        result = ": " + "  ".join(f"{s.place}. {s.racer}" for s in view.result.standings)
        racers = ""
    return f"{view.heat.name:>5}  {racers}{result}"


def print_bracket(view: BracketView) -> None:
    """Print every heat, and the places that are decided."""
    if view.settings.grid == 2:
        rows = [(v.heat.name, *map(_name, v.heat.sides), _name(v.heat.winner), *_how(v)) for v in view.heats]
        print_table("Heat|First|Second|Winner|>Runs|>Winner's time|>Loser's", rows)
    else:
        print_table("Heat|>Start|Racer|>Place|>Median|>Time|Goes on", [r for v in view.heats for r in _grid_rows(v)])
    places = view.bracket.places
    if places:
        typer.echo("  ".join(f"{place}. {racer}" for racer, place in places.items()))


def _grid_rows(view: HeatView) -> list[tuple[object, ...]]:
    """A row for each racer of a heat of a grid, best first once it is decided; one row while nobody is known."""
    heat, made = view.heat, {s.racer: s for s in view.result.standings} if view.result else {}
    if not heat.ready and not heat.decided:
        return [(heat.name, "", f"{len(heat.sides)} racers", "", "", "", "")]
    rows: list[tuple[object, ...]] = []
    for side in heat.order if heat.decided else heat.sides:
        racer, start = _name(side), heat.sides.index(side) + 1
        onward = "yes" if heat.decided and side in heat.onward and heat.name != "final" else ""
        if racer in view.scratched:
            rows.append((heat.name, "", racer, "", "", f"does not start: {view.scratched[racer]}", ""))
        elif racer in made:
            s = made[racer]
            rows.append((heat.name, start, racer, s.place, f"{s.median_place:g}", _time(s.finish), onward))
        else:
            said = "raced by nobody else" if heat.decided else "to be raced"
            rows.append((heat.name, start, racer, "", "", said, onward))
    return rows


def _how(view: HeatView) -> tuple[str, str, str]:
    """Runs won, and the median times of winner and loser."""
    if view.awarded is not None:
        return f"awarded: {view.awarded}", "", ""
    if view.result is None:
        return "bye" if view.heat.bye else "to be raced" if view.heat.ready else "", "", ""
    first, second = (_time(s.finish) for s in view.result.standings)
    return _wins(view), first, second


def _time(finish: Finish) -> str:
    """A time, or how far a racer came who did not finish."""
    if finish.time_ms is None:
        return f"DNF after {int(finish.progress_percentage) / 100:.2f} laps"
    return milliseconds(finish.time_ms)


def _wins(view: HeatView) -> str:
    assert view.result is not None
    return ":".join(str(s.wins) for s in view.result.standings)


def _name(side: object) -> str:
    return side if isinstance(side, str) else ""
