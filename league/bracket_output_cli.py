"""How ``racer league bracket`` prints brackets and their heats."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import typer

from league.output_cli import milliseconds, print_table

if TYPE_CHECKING:
    from league.bracket_heats import Side
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
        print_table("Heat|First|Second|Winner|Runs|>Winner's time|>Loser's", rows)
    else:
        print_table("Heat|>Start|Racer|>Place|>Median|Time|Goes on", [r for v in view.heats for r in _grid_rows(v)])
    places = view.bracket.places
    if places:
        shared = Counter(places.values())
        typer.echo("  ".join(f"{'=' * (shared[place] > 1)}{place}. {racer}" for racer, place in places.items()))


def _grid_rows(view: HeatView) -> list[tuple[object, ...]]:
    """A row for each racer of a heat of a grid, best first once it is decided; one row while nobody is known."""
    heat = view.heat
    if not heat.ready and not heat.decided:
        return [(heat.name, "", f"{len(heat.sides)} racers", "", "", "", "")]
    sides = heat.order if heat.decided else heat.sides
    return [("" if k else heat.name, *_grid_row(view, side)) for k, side in enumerate(sides)]


def _grid_row(view: HeatView, side: Side) -> tuple[object, ...]:
    """Who started where, and what became of them."""
    heat, racer = view.heat, _name(side)
    if racer in view.scratched:
        return "", racer, "", "", f"does not start: {view.scratched[racer]}", ""
    start, onward = heat.sides.index(side) + 1, heat.decided and heat.name != "final" and side in heat.onward
    made = next((s for s in view.result.standings if s.racer == racer), None) if view.result else None
    place, median = (made.place, f"{made.median_place:g}") if made else ("", "")
    time = _time(made.finish) if made else "the only one" if heat.decided else "to be raced"
    return start, racer, place, median, time, "yes" if onward else ""


def _how(view: HeatView) -> tuple[str, str, str]:
    """Runs won, and the median times of winner and loser."""
    if view.awarded is not None:
        return f"awarded: {view.awarded}", "", ""
    if view.result is None:
        return "bye" if view.heat.bye else "to be raced" if view.heat.ready else "", "", ""
    first, second = (_time(s.finish) for s in view.result.standings)
    return _wins(view), first, second


def _time(finish: Finish) -> str:
    """A time, or how far a racer came who did not finish: nowhere, who did not reach the line from the grid."""
    if finish.time_ms is None:
        return f"DNF after {int(max(finish.progress_percentage, 0.0)) / 100:.2f} laps"
    return milliseconds(finish.time_ms)


def _wins(view: HeatView) -> str:
    assert view.result is not None
    return ":".join(str(s.wins) for s in view.result.standings)


def _name(side: object) -> str:
    return side if isinstance(side, str) else ""
