"""Bodies appear where a pinhole puts them, hide each other as they stand, and look alike in a mirror."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from shapely.geometry import MultiPoint, Polygon, box

from racer_env.bodies import BODY, Kind
from racer_env.kernel import COMPILED, Floats, Records, records
from racer_env.sensors.solids import LUMA, draw

HEIGHT, WIDTH, FOCAL = 120, 160, 80.0 / math.tan(0.565)
EYE = (0.3, -0.2, 0.1312, 0.4, 0.2358)  # x, y, z, yaw, pitch
BROWN, RED = (0.482, 0.38, 0.309), (0.8, 0.1, 0.1)
Picture = npt.NDArray[np.int64]


def world(*bodies: tuple[Kind, float, float, float]) -> Records:
    """Bodies (kind, metres ahead of the camera, metres left, turned)."""
    made = records(len(bodies), BODY)
    for body, (kind, ahead, left, turn) in zip(made, bodies, strict=True):
        x, y, _, yaw, _ = EYE
        body.kind, body.yaw = kind, yaw + turn
        body.x, body.y = (
            x + ahead * math.cos(yaw) - left * math.sin(yaw),
            y + ahead * math.sin(yaw) + left * math.cos(yaw),
        )
        body.length, body.width, body.height = (0.4, 0.3, 0.25) if kind == Kind.BOX else (0.324, 0.188, 0.195)
        body.red, body.green, body.blue = BROWN if kind == Kind.BOX else RED
    return made


def seen(bodies: Records, floor: int = 255, channels: int = 1, own: int = -1, eye: tuple[float, ...] = EYE) -> Picture:
    picture = np.full((HEIGHT, WIDTH, channels), floor, np.uint8)
    x, y, z, yaw, pitch = eye
    draw(bodies, own, x, y, z, yaw, pitch, FOCAL, picture)
    return picture.astype(np.int64)


def turned(angle: float, axis: int) -> Floats:
    one, other = (axis + 1) % 3, (axis + 2) % 3
    made = np.eye(3)
    made[[one, one, other, other], [one, other, one, other]] = (
        np.cos(angle),
        -np.sin(angle),
        np.sin(angle),
        np.cos(angle),
    )
    return made


def outline(body: Any) -> Polygon:
    """The outline of a cuboid in the picture, in columns and rows, by matrices: the camera looks along its +x."""
    half = np.array([0.5 * body.length, 0.5 * body.width, 0.5 * body.height])
    corners = np.array(np.meshgrid([-1, 1], [-1, 1], [-1, 1])).reshape(3, 8) * half[:, None]
    corners = turned(body.yaw, 2) @ corners + np.array([[body.x], [body.y], [half[2]]])
    place = np.array(EYE[:3])[:, None]
    depth, left, up = (turned(EYE[3], 2) @ turned(EYE[4], 1)).T @ (corners - place)
    assert (depth > 0.02).all()
    return MultiPoint(np.stack((80 - FOCAL * left / depth, 60 - FOCAL * up / depth), axis=1).tolist()).convex_hull


def coverage(outline: Polygon) -> Floats:
    """The share of every pixel that is inside an outline."""
    left, top, right, bottom = (int(edge) for edge in np.clip(outline.bounds, 0, [WIDTH - 1, HEIGHT - 1] * 2))
    shares = np.zeros((HEIGHT, WIDTH))
    for r in range(top, bottom + 1):
        row = outline.intersection(box(0, r, WIDTH, r + 1))
        shares[r, left : right + 1] = [row.intersection(box(k, r, k + 1, r + 1)).area for k in range(left, right + 1)]
    return shares


def random_bodies(kind: Kind, count: int) -> list[Records]:
    draw = np.random.default_rng(5)
    return [
        world((kind, draw.uniform(0.6, 4.0), draw.uniform(-0.4, 0.4), draw.uniform(-4, 4)))
        for _ in range(count if COMPILED else 2)
    ]


def test_a_box_is_seen_where_a_pinhole_puts_it() -> None:
    for bodies in random_bodies(Kind.BOX, 12):
        shape = outline(bodies[0])
        bodies.red = bodies.green = bodies.blue = 0.0
        covered = 1.0 - seen(bodies)[..., 0] / 255.0
        columns, rows = np.flatnonzero((covered > 0.5).any(axis=0)), np.flatnonzero((covered > 0.5).any(axis=1))
        found = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
        assert np.abs(found - np.clip(shape.bounds, 0, [160, 120, 160, 120])).max() < 1.0
        apart = np.abs(covered - coverage(shape))
        assert apart.max() < 0.2
        assert apart.mean() < 0.002


def test_a_car_fills_its_size_and_not_more() -> None:
    for bodies in random_bodies(Kind.CAR, 6):
        shape = coverage(outline(bodies[0]))
        touched = seen(bodies)[..., 0] < 255
        assert not touched[shape == 0.0].any()
        assert 0.5 < touched.sum() / np.count_nonzero(shape) <= 1.0


def test_a_car_has_dark_wheels_under_a_body_of_its_colour() -> None:
    picture = seen(world((Kind.BOT, 0.8, 0.0, 1.2)), channels=3)
    red = (picture[..., 0] > 100) & (picture[..., 1] < 40)
    dark = picture.max(axis=2) < 30
    assert red.sum() > 300
    assert dark.sum() > 300
    assert np.flatnonzero(dark.any(axis=1)).max() > np.flatnonzero(red.any(axis=1)).max() + 3


@pytest.mark.parametrize("kind", [Kind.BOX, Kind.CAR])
def test_nothing_shines_through_a_body(kind: Kind) -> None:
    for bodies in random_bodies(kind, 12):
        against_white, against_black = seen(bodies, 255), seen(bodies, 0)
        shape = outline(bodies[0])
        if kind == Kind.BOX:
            inside = coverage(shape) > 0.999
            assert np.abs(against_white - against_black)[inside].max(initial=0) <= 1
        assert (against_white != against_black).any()


def test_the_nearer_hides_the_farther_whatever_their_order() -> None:
    near, far = (Kind.BOX, 1.0, 0.1, 0.2), (Kind.CAR, 1.5, 0.1, 0.3)
    both, alone = seen(world(near, far)), seen(world(near))
    hidden = coverage(outline(world(near)[0])) > 0.999
    np.testing.assert_array_equal(both[hidden], alone[hidden])
    np.testing.assert_array_equal(both, seen(world(far, near)))
    assert not np.array_equal(seen(world(far, near)), seen(world(far)))


def test_a_thing_beside_a_long_one_is_in_front_although_its_middle_is_farther() -> None:
    bodies = world((Kind.BOX, 1.2, 0.5, 0.0), (Kind.BOX, 1.6, -0.02, 0.0))
    bodies[0].length, bodies[0].width, bodies[0].height = 0.1, 2.0, 0.1
    bodies[1].length, bodies[1].width = 0.1, 0.1
    bodies[0].x, bodies[0].y, bodies[0].yaw = EYE[0], EYE[1], EYE[3] - 0.5
    ahead = np.array([math.cos(EYE[3]), math.sin(EYE[3])])
    bodies[0].x, bodies[0].y = np.array(EYE[:2]) + 1.6 * ahead  # a wall that comes near on the right
    bodies[1].x, bodies[1].y = np.array(EYE[:2]) + 1.35 * ahead + 0.3 * np.array([-ahead[1], ahead[0]])
    bodies[1].red = bodies[1].green = bodies[1].blue = 0.0
    picture = seen(bodies, floor=0, channels=3)
    dark = coverage(outline(bodies[1])) > 0.999
    assert dark.sum() > 20
    assert picture[dark].max() == 0
    np.testing.assert_array_equal(picture, seen(bodies[::-1], floor=0, channels=3))


def test_a_mirrored_world_gives_a_mirrored_picture() -> None:
    bodies = world((Kind.BOX, 1.2, 0.35, 0.3), (Kind.CAR, 0.8, -0.15, 0.4), (Kind.BOT, 1.1, -0.3, 2.0))
    x, y, z, yaw, pitch = EYE
    there = seen(bodies, channels=3)
    bodies.y, bodies.yaw = -bodies.y, -bodies.yaw
    again = seen(bodies, channels=3, eye=(x, -y, z, -yaw, pitch))
    assert np.ptp(there) > 100
    assert np.abs(there - again[:, ::-1]).max() <= 1
    bodies.x, bodies.yaw = -bodies.x, math.pi - bodies.yaw
    once_more = seen(bodies, channels=3, eye=(-x, -y, z, math.pi + yaw, pitch))
    assert np.abs(there - once_more).max() <= 1


def test_grey_is_the_originals_mix_of_the_colours() -> None:
    bodies = world((Kind.BOX, 1.2, 0.3, 0.3), (Kind.CAR, 0.8, -0.15, 0.4))
    assert np.abs(seen(bodies, channels=3) @ LUMA - seen(bodies)[..., 0]).max() < 2.0


def test_what_is_not_there_is_not_seen() -> None:
    behind = world((Kind.BOX, -1.0, 0.0, 0.0), (Kind.NONE, 1.0, 0.0, 0.0), (Kind.BOX, 1.0, 3.0, 0.0))
    assert (seen(behind) == 255).all()
    assert (seen(world((Kind.CAR, 1.0, 0.0, 0.0)), own=0) == 255).all()
    assert (seen(world((Kind.CAR, 1.0, 0.0, 0.0)), own=-1) != 255).any()


def test_what_is_too_near_is_cut_off() -> None:
    assert (seen(world((Kind.BOX, 0.24, 0.0, 0.0))) < 255).all()
    bodies = world((Kind.BOX, 0.3, 0.35, 0.0))  # beside the camera, half behind it
    assert 0.02 < (seen(bodies) < 255).mean() < 0.5
    assert not (seen(bodies) < 255)[:, 80:].any()
    for ahead in np.linspace(-0.3, 0.3, 7):
        seen(world((Kind.CAR, float(ahead), 0.05, 1.0)))


def test_a_transparent_body_is_a_mixture_of_itself_and_what_is_behind_it() -> None:
    bodies = world((Kind.BOX, 1.0, 0.0, 0.3))
    whole, behind = seen(bodies), 255
    bodies.transparency = 0.7
    np.testing.assert_allclose(seen(bodies), 0.3 * whole + 0.7 * behind, atol=1.5)
