import math
from dataclasses import replace

import numpy as np
import pytest

from racer_env.bodies import BLINK, LEAST_OPACITY, Kind, blinking
from racer_env.obstacles import CAR_COLOURS, SHAPES, Bots, Obstacles
from racer_env.race import TIME_TRIAL, Race
from racer_env.render import palette
from racer_env.render.figures import Figure, figures
from racer_env.simulator import Simulator
from racer_env.track import Track, find_track


@pytest.fixture(scope="module")
def oval() -> Track:
    return find_track("oval")


def world(track: Track, race: Race, n: int = 1) -> Simulator:
    made = Simulator(track, race=race, n=n)
    made.reset()
    return made


def seen(figure: Figure, scale: float = 100.0, turn: float = 0.0) -> np.ndarray:
    return np.asarray(figure.picture(scale, turn)).astype(float)


def test_everything_in_a_world_is_a_figure_and_the_followed_car_comes_last(oval: Track) -> None:
    race = replace(TIME_TRIAL, obstacles=Obstacles(3), bots=Bots(2), cars=2)
    made = world(oval, race, n=2)
    for car in range(4):
        found = list(figures(made, car))
        row, m = made.state.bodies[car // 2], made.state.motion[car]
        assert len(found) == 7
        assert [f.box is not None for f in found] == [True] * 3 + [False] * 4
        assert [(f.x, f.y, f.yaw) for f in found[:5]] == [(b.x, b.y, b.yaw) for b in row[2:]]
        assert (found[-1].x, found[-1].y, found[-1].colour) == (m.x, m.y, palette.ACCENT)


def test_rivals_and_bot_cars_have_their_own_colours(oval: Track) -> None:
    made = world(oval, replace(TIME_TRIAL, bots=Bots(1), cars=3))
    bot, first, third, own = figures(made, 1)
    assert own.colour == palette.ACCENT
    for figure, colour in ((bot, SHAPES["bot_car"].colour), (first, CAR_COLOURS[0]), (third, CAR_COLOURS[2])):
        assert figure.colour == tuple(round(255 * share) for share in colour)


def test_a_rival_that_is_out_is_not_there_but_the_followed_car_always_is(oval: Track) -> None:
    made = world(oval, replace(TIME_TRIAL, cars=2))
    made.state.bodies.kind[0, 1] = Kind.NONE
    assert len(list(figures(made, 0))) == 1
    assert len(list(figures(made, 1))) == 2


def test_a_lone_car_is_where_it_drives(oval: Track) -> None:
    made = world(oval, TIME_TRIAL)
    made.place(0, 3.0, 1.0, 0.5)
    (own,) = figures(made, 0)
    assert (own.x, own.y, own.yaw, own.opacity) == (3.0, 1.0, 0.5, 1.0)


def test_a_penalty_blinks_between_faint_and_solid_twice_a_second() -> None:
    assert blinking(0.0) == blinking(BLINK) == blinking(5.0) == 1.0
    assert blinking(0.5 * BLINK) == pytest.approx(LEAST_OPACITY) == pytest.approx(0.3)
    for left in np.linspace(0.0, 5.0, 77).tolist():
        assert LEAST_OPACITY - 1e-9 <= blinking(left) <= 1.0
        assert blinking(left) == pytest.approx(blinking(left + BLINK))


def test_only_who_serves_a_penalty_is_see_through(oval: Track) -> None:
    made = world(oval, replace(TIME_TRIAL, cars=2))
    made.state.episode.pause[1] = 4
    rival, own = figures(made, 0)
    assert own.opacity == 1.0
    assert rival.opacity == blinking(4 / 15)
    assert seen(rival)[..., 3].max() == pytest.approx(255 * rival.opacity, abs=1.0)


@pytest.mark.parametrize("yaw", [0.0, 0.4, 1.3, -2.0])
def test_a_box_has_its_size_and_lies_along_its_heading(yaw: float) -> None:
    alpha = seen(Figure(0.0, 0.0, yaw, (120, 90, 70), box=(0.4, 0.3)))[..., 3] / 255
    rows, columns = np.nonzero(alpha > 0.5)
    x, y = columns - 0.5 * (alpha.shape[1] - 1), 0.5 * (alpha.shape[0] - 1) - rows
    along, across = math.cos(yaw) * x + math.sin(yaw) * y, math.cos(yaw) * y - math.sin(yaw) * x
    assert alpha.sum() == pytest.approx(40 * 30, rel=0.03)
    assert (np.ptp(along), np.ptp(across)) == pytest.approx((40, 30), abs=2.0)


def test_turning_the_view_turns_what_is_seen() -> None:
    for box in (None, (0.4, 0.3)):
        turned = seen(Figure(0.0, 0.0, 0.3, (120, 90, 70), box=box), turn=1.1)
        assert np.array_equal(turned, seen(Figure(0.0, 0.0, 1.4, (120, 90, 70), box=box)))


def test_a_dark_car_has_a_lighter_rim_that_is_seen_on_the_road() -> None:
    dark, bright = (seen(Figure(0.0, 0.0, 0.0, colour)) for colour in ((26, 26, 31), (200, 60, 60)))
    rim = (118, 118, 121)
    assert (np.abs(dark[..., :3] - rim).max(axis=2) < 12).sum() > 30
    assert (np.abs(bright[..., :3] - rim).max(axis=2) < 12).sum() < 10
