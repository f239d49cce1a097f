"""Options that say what kind of race it is, the same in every command that drives."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from racer_env.race import Race

RaceName = Annotated[str, typer.Option("--race", help="time_trial, object_avoidance or head_to_bot.")]
Boxes = Annotated[
    int | None,
    typer.Option("--obstacles", help="Boxes on the track; 6 in object_avoidance.", min=0, show_default=False),
]
RandomPlaces = Annotated[
    bool, typer.Option("--random-places", help="Put boxes and bot cars somewhere else at every start.")
]
BotCars = Annotated[int | None, typer.Option("--bots", help="Bot cars; 3 in head_to_bot.", min=0, show_default=False)]
BotSpeed = Annotated[
    float | None, typer.Option("--bot-speed", help="Of bot cars, m/s; 0.2 by default.", show_default=False)
]
LaneChanges = Annotated[bool, typer.Option("--lane-changes", help="Let bot cars change lanes.")]


def populated(
    rules: Race,
    kind: str | Race,
    obstacles: int | None,
    bots: int | None,
    bot_speed: float | None,
    lane_changes: bool,
    random_places: bool,
) -> Race:
    """Put onto a race's track what a kind of race has there, and what the user says besides.

    Raises:
        RacerError: there is no such kind of race, a number is outside its range, or says something of nothing.
    """
    from racer_env.errors import RacerError
    from racer_env.obstacles import Bots, Obstacles
    from racer_env.race import find_race

    kind = find_race(kind) if isinstance(kind, str) else kind
    boxes, cars = kind.obstacles, kind.bots
    if obstacles is not None:
        boxes = replace(boxes or Obstacles(), count=obstacles) if obstacles else None
    if bots is not None:
        cars = replace(cars or Bots(), count=bots) if bots else None
    if not cars and (bot_speed is not None or lane_changes):
        raise RacerError("--bot-speed and --lane-changes need bot cars: add --bots N or --race head_to_bot")
    if not (cars or boxes) and random_places:
        raise RacerError("--random-places needs something to place: add --obstacles N, --bots N or another --race")
    if boxes:
        boxes = replace(boxes, random=boxes.random or random_places)
    if cars:
        speed = cars.speed if bot_speed is None else bot_speed
        changes, random = cars.lane_changes or lane_changes, cars.random or random_places
        cars = replace(cars, random=random, speed=speed, lane_changes=changes)
    return replace(rules, obstacles=boxes, bots=cars)
