"""A bracket as one picture: every heat with its racers, runs and winner, round after round from left to right.

Pixels, from the upper left. The losers' bracket is below the winners'; a final that was not needed, and heats with a
missing side, are left out.
"""

from __future__ import annotations

from collections.abc import Mapping

from PIL import Image, ImageDraw

from league.service import BracketView, HeatView
from racer_env.render import palette
from racer_env.render.lettering import plain, write
from racer_env.render.timing_tower import cut

WIDTH, HEIGHT = 224, 58  #: of a heat
ACROSS, DOWN = 44, 18  #: between heats
MARGIN, HEAD = 40, 104
LEAST = 560  #: of the picture's width
SMOOTHING = 2

Place = tuple[float, float]  #: a heat's column, and the middle of it in rows, from 0


def draw_bracket(view: BracketView) -> Image.Image:
    """Draw a bracket as it is now."""
    shown = {heat.heat.name: heat for heat in view.heats if not heat.heat.bye}
    places = _places(view, shown)
    columns, rows = max(x for x, _ in places.values()) + 1, max(y for _, y in places.values()) + 1
    size = (
        max(round(2 * MARGIN + columns * (WIDTH + ACROSS) - ACROSS), LEAST),
        round(HEAD + MARGIN + rows * (HEIGHT + DOWN) - DOWN),
    )
    image = Image.new("RGB", (size[0] * SMOOTHING, size[1] * SMOOTHING), palette.NIGHT)
    draw = ImageDraw.Draw(image)
    corners = {name: (MARGIN + x * (WIDTH + ACROSS), HEAD + y * (HEIGHT + DOWN)) for name, (x, y) in places.items()}
    for name, heat in shown.items():
        _draw_ways(draw, name, heat, corners, shown)
    for name, heat in shown.items():
        _draw_heat(draw, heat, corners[name])
    _write(draw, (MARGIN, 48), view.name, 26)
    champion = view.bracket.champion
    said = f"{view.settings.track}, {view.settings.laps} laps, {view.settings.runs} runs a heat"
    _write(draw, (MARGIN, 74), said, 14, palette.QUIET)
    if champion:
        _write(draw, (size[0] - MARGIN, 48), f"{champion} wins", 22, palette.GOOD, anchor="rs")
    return image.reduce(SMOOTHING)


def _places(view: BracketView, shown: Mapping[str, HeatView]) -> dict[str, Place]:
    """Where heats are: those of a round below each other, each between the two that lead to it."""
    every = {heat.heat.name: heat.heat.round for heat in view.heats}
    places: dict[str, Place] = {}
    lowest = 0.0
    for half in ("W", "L"):
        rounds = sorted({int(name[1:].split(".")[0]) for name in every if name[0] == half})
        base = lowest
        for number in rounds:
            names = sorted((name for name in every if name.startswith(f"{half}{number}.")), key=_number)
            for name in names:
                y = _middle(places, half, number, name, base, len(names))
                places[name] = (every[name] - 1, y)
                lowest = max(lowest, y + 1)
    last = {
        half: max((x, y) for name, (x, y) in places.items() if name[0] == half)[1] for half in {n[0] for n in places}
    }
    for name in (name for name in every if name[0] not in "WL"):
        row = last["W"] + 1.2 if name == "third" else sum(last.values()) / len(last)
        places[name] = (every[name] - 1, row)
    return _without_gaps({name: places[name] for name in shown})


def _middle(places: Mapping[str, Place], half: str, number: int, name: str, base: float, count: int) -> float:
    """The row of a heat: that of the one before it, or between the two."""
    before = [places[other][1] for other in places if other.startswith(f"{half}{number - 1}.")]
    k = _number(name) - 1
    if not before:
        return base + k
    return before[k] if len(before) == count else (before[2 * k] + before[2 * k + 1]) / 2


def _without_gaps(places: Mapping[str, Place]) -> dict[str, Place]:
    """Move everything up and to the left as far as rounds without heats leave room."""
    columns = sorted({x for x, _ in places.values()})
    top = min(y for _, y in places.values())
    return {name: (float(columns.index(x)), y - top) for name, (x, y) in places.items()}


def _number(name: str) -> int:
    return int(name.split(".")[1])


def _draw_ways(
    draw: ImageDraw.ImageDraw,
    name: str,
    heat: HeatView,
    corners: Mapping[str, tuple[float, float]],
    shown: Mapping[str, HeatView],
) -> None:
    """Draw lines to a heat from the one before of each racer who has won that."""
    x, y = corners[name]
    for k, side in enumerate(heat.heat.sides):
        before = [other for other, view in shown.items() if side in view.heat.sides and corners[other][0] < x]
        last = max(before, key=lambda other: corners[other][0], default=None)
        if last is None or shown[last].heat.winner != side:
            continue
        left, above = corners[last]
        start, end = (left + WIDTH, above + HEIGHT / 2), (x, y + HEIGHT * (0.25 + 0.5 * k))
        turn = x - ACROSS / 2
        line = [start, (turn, start[1]), (turn, end[1]), end]
        draw.line([(a * SMOOTHING, b * SMOOTHING) for a, b in line], fill=palette.OTHER, width=2 * SMOOTHING)


def _draw_heat(draw: ImageDraw.ImageDraw, view: HeatView, corner: tuple[float, float]) -> None:
    x, y = corner
    box = [x * SMOOTHING, y * SMOOTHING, (x + WIDTH) * SMOOTHING, (y + HEIGHT) * SMOOTHING]
    draw.rounded_rectangle(box, radius=6 * SMOOTHING, fill=palette.PANEL, outline=palette.RULE, width=SMOOTHING)
    _write(draw, (x + 4, y - 3), view.heat.name if view.heat.name != "third" else "third place", 11, palette.QUIET)
    wins = {s.racer: str(s.wins) for s in view.result.standings} if view.result else {}
    for k, side in enumerate(view.heat.sides):
        if not isinstance(side, str):
            continue
        won = view.heat.winner == side
        colour = palette.QUIET if view.heat.loser == side else palette.TEXT
        middle = y + HEIGHT * (0.25 + 0.5 * k) + 5
        _write(draw, (x + 12, middle), cut(plain(side), 15, WIDTH - 84), 15, colour)
        said = wins.get(side, "awarded" if won and view.awarded is not None else "")
        _write(draw, (x + WIDTH - 12, middle), said, 15, palette.GOOD if won else palette.QUIET, anchor="rs")


def _write(
    draw: ImageDraw.ImageDraw,
    at: tuple[float, float],
    words: str,
    size: float,
    colour: palette.Colour = palette.TEXT,
    anchor: str = "ls",
) -> None:
    write(draw, (at[0] * SMOOTHING, at[1] * SMOOTHING), words, size * SMOOTHING, colour, anchor=anchor)
