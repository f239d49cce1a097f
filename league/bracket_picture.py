"""A bracket as one picture: every heat with its racers, results and winner, round after round from left to right.

Pixels, from the upper left. The losers' bracket is below the winners'; a final that was not needed, and heats with a
missing side, are left out. A heat of a grid lists its racers as they came in, or until then as they start.
"""

from __future__ import annotations

from collections.abc import Mapping

from PIL import Image, ImageDraw

from league.bracket_heats import Side
from league.grids import FINAL, Grid
from league.service import BracketView, HeatView
from racer_env.render import palette
from racer_env.render.lettering import font, plain, write
from racer_env.render.timing_tower import cut

WIDTH, ROW = 224, 29  #: of a racer in a heat
HEIGHT = 2 * ROW  #: of a heat of two
ACROSS, DOWN = 44, 18  #: between heats
ACROSS_GRIDS = 100  #: between heats of a grid, whose ways cross
MARGIN, HEAD = 40, 104
LEAST = 560  #: of the picture's width
SMOOTHING = 2

Place = tuple[float, float]  #: a heat's column, and the middle of it in rows, from 0
Corner = tuple[float, float]  #: px of a heat's upper left


def draw_bracket(view: BracketView) -> Image.Image:
    """Draw a bracket as it is now."""
    shown = {heat.heat.name: heat for heat in view.heats if not heat.heat.bye}
    grid = view.bracket if isinstance(view.bracket, Grid) else None
    corners = _stacked(grid) if grid else _between(view, shown)
    ends = [(x + WIDTH, y + ROW * len(shown[name].heat.sides)) for name, (x, y) in corners.items()]
    size = max(round(max(x for x, _ in ends) + MARGIN), LEAST), round(max(y for _, y in ends) + MARGIN)
    image = Image.new("RGB", (size[0] * SMOOTHING, size[1] * SMOOTHING), palette.NIGHT)
    draw = ImageDraw.Draw(image)
    draw_ways, draw_heat = (_draw_grid_ways, _draw_grid_heat) if grid else (_draw_ways, _draw_heat)
    for name in shown:
        draw_ways(draw, name, corners, shown)
    for name, heat in shown.items():
        draw_heat(draw, heat, corners[name])
    _write(draw, (MARGIN, 48), cut(plain(view.name), 26, size[0] - 2 * MARGIN - WIDTH), 26)
    laps, runs = view.settings.laps, view.settings.runs
    said = f"{view.settings.track}, {laps} lap{'s' * (laps > 1)}, {runs} run{'s' * (runs > 1)} a heat"
    _write(draw, (MARGIN, 74), said, 14, palette.QUIET)
    champion = view.bracket.champion
    if champion:
        _write(draw, (size[0] - MARGIN, 48), cut(f"{plain(champion)} wins", 22, WIDTH), 22, palette.GOOD, anchor="rs")
    return image.reduce(SMOOTHING)


def _stacked(grid: Grid) -> dict[str, Corner]:
    """The upper left corners of a grid's heats: those of a round below each other, in the middle of the tallest."""
    heights = [sum(ROW * len(heat.sides) + DOWN for heat in heats) - DOWN for heats in grid.rounds]
    corners: dict[str, Corner] = {}
    for column, heats in enumerate(grid.rounds):
        y = HEAD + (max(heights) - heights[column]) / 2
        for heat in heats:
            corners[heat.name] = (MARGIN + column * (WIDTH + ACROSS_GRIDS), y)
            y += ROW * len(heat.sides) + DOWN
    return corners


def _between(view: BracketView, shown: Mapping[str, HeatView]) -> dict[str, Corner]:
    """The upper left corners of heats of two: each between those that lead to it."""
    places = _places(view, shown)
    return {name: (MARGIN + x * (WIDTH + ACROSS), HEAD + y * (HEIGHT + DOWN)) for name, (x, y) in places.items()}


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
    draw: ImageDraw.ImageDraw, name: str, corners: Mapping[str, Corner], shown: Mapping[str, HeatView]
) -> None:
    """Draw lines to a heat of two from the one before of each racer who has won that."""
    x, y = corners[name]
    for k, side in enumerate(shown[name].heat.sides):
        last = _before(name, side, corners, shown)
        if last is not None and shown[last].heat.winner == side:
            left, above = corners[last]
            start, end, turn = (left + WIDTH, above + ROW), (x, y + ROW * (k + 0.5)), x - ACROSS / 2
            _line(draw, start, (turn, start[1]), (turn, end[1]), end)


def _draw_grid_ways(
    draw: ImageDraw.ImageDraw, name: str, corners: Mapping[str, Corner], shown: Mapping[str, HeatView]
) -> None:
    """Draw lines to a heat of a grid from where each racer came in in the heat before."""
    x, y = corners[name]
    for k, side in enumerate(_rows(shown[name])):
        last = _before(name, side, corners, shown)
        if last is not None and isinstance(side, str):
            left, above = corners[last]
            came = _rows(shown[last]).index(side)
            _line(draw, (left + WIDTH, above + ROW * (came + 0.5)), (x, y + ROW * (k + 0.5)))


def _before(name: str, side: Side, corners: Mapping[str, Corner], shown: Mapping[str, HeatView]) -> str | None:
    """The last heat before another that a racer was in."""
    before = [o for o, view in shown.items() if side in view.heat.sides and corners[o][0] < corners[name][0]]
    return max(before, key=lambda other: corners[other][0], default=None)


def _line(draw: ImageDraw.ImageDraw, *points: Corner) -> None:
    draw.line([(a * SMOOTHING, b * SMOOTHING) for a, b in points], fill=palette.OTHER, width=2 * SMOOTHING)


def _rows(view: HeatView) -> tuple[Side, ...]:
    """The racers of a heat of a grid as they came in, or until then as they start."""
    return view.heat.order if view.heat.decided else view.heat.sides


def _draw_heat(draw: ImageDraw.ImageDraw, view: HeatView, corner: Corner) -> None:
    wins = {s.racer: str(s.wins) for s in view.result.standings} if view.result else {}
    _draw_panel(draw, view, corner)
    for k, side in enumerate(view.heat.sides):
        if isinstance(side, str):
            won = view.heat.winner == side
            said = wins.get(side, "awarded" if won and view.awarded is not None else "")
            _draw_racer(draw, corner, k, side, said, won=won, quiet=view.heat.loser == side)


def _draw_grid_heat(draw: ImageDraw.ImageDraw, view: HeatView, corner: Corner) -> None:
    places = {s.racer: s.place for s in view.result.standings} if view.result else {}
    _draw_panel(draw, view, corner)
    for k, side in enumerate(_rows(view)):
        if isinstance(side, str):
            said = places.get(side, "does not start" if side in view.scratched else "")
            out = view.heat.decided and view.heat.name != FINAL and side not in view.heat.onward
            quiet = out or side in view.scratched
            _draw_racer(draw, corner, k, side, said, won=view.heat.winner == side, quiet=quiet)


def _draw_panel(draw: ImageDraw.ImageDraw, view: HeatView, corner: Corner) -> None:
    x, y = corner
    box = [v * SMOOTHING for v in (x, y, x + WIDTH, y + ROW * len(view.heat.sides))]
    draw.rounded_rectangle(box, radius=6 * SMOOTHING, fill=palette.PANEL, outline=palette.RULE, width=SMOOTHING)
    _write(draw, (x + 4, y - 3), view.heat.name if view.heat.name != "third" else "third place", 11, palette.QUIET)


def _draw_racer(
    draw: ImageDraw.ImageDraw, corner: Corner, row: int, racer: str, said: str, *, won: bool, quiet: bool
) -> None:
    """A racer in a row of a heat, and what became of them."""
    x, middle = corner[0], corner[1] + ROW * (row + 0.5) + 5
    room = WIDTH - 36 - max(48, font(15).getlength(said))
    _write(draw, (x + 12, middle), cut(plain(racer), 15, room), 15, palette.QUIET if quiet else palette.TEXT)
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
