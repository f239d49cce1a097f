import math

import numpy as np
import pytest
from shapely.geometry import LineString, Polygon

import tracks

FIELD = 0.2  # m between different parts of a road


@pytest.fixture(params=tracks.names())
def layout(request: pytest.FixtureRequest) -> tracks.Layout:
    return tracks.read(request.param)


LOOPS = [name for name in tracks.names() if tracks.read(name).loop]


def test_there_is_a_track_of_every_kind() -> None:
    layouts = [tracks.read(name) for name in tracks.names()]
    assert len(layouts) >= 12
    assert {"oval", "kidney", "hairpin", "chicane", "esses", "ell", "triangle", "straight"} <= set(tracks.CATALOGUE)
    assert {layout.direction for layout in layouts} == {"counter-clockwise", "clockwise", "open"}
    assert min(layout.width for layout in layouts) == 0.61
    assert max(layout.width for layout in layouts) == 1.4
    assert max(layout.length for layout in layouts) == pytest.approx(60.0, abs=0.1)


def test_the_oval_is_gentle() -> None:
    oval = tracks.read("oval")
    assert oval.length == pytest.approx(17.0, abs=0.1)
    assert oval.width == 1.07
    assert oval.sharpest_radius >= 1.5


def test_every_track_says_what_it_is(layout: tracks.Layout) -> None:
    assert layout.title
    assert layout.description.endswith(".")


def test_every_track_has_no_errors_and_no_remarks(layout: tracks.Layout) -> None:
    assert tracks.problems(layout.route()) == []


def test_every_loop_ends_bit_for_bit_where_it_began(layout: tracks.Layout) -> None:
    route = layout.route()
    assert np.array_equal(route[0], route[-1]) == layout.loop
    headings = layout.headings()
    ends = [p.size * p.along(h, np.ones(1))[0][0] for p, h in zip(layout.pieces, headings, strict=False)]
    if layout.loop:
        assert np.hypot(*np.sum(ends, axis=0)) < 1e-9


def test_the_vertices_of_every_track_are_near_each_other_but_never_the_same(layout: tracks.Layout) -> None:
    steps = np.hypot(*np.diff(layout.route()[:, :2], axis=0).T)
    assert steps.max() < 0.151
    assert steps.min() > 0.03


def test_the_borders_lie_half_a_width_from_the_centre_line(layout: tracks.Layout) -> None:
    route = layout.route()
    centre, inner, outer = route[:, 0:2], route[:, 2:4], route[:, 4:6]
    assert np.allclose(0.5 * (inner + outer), centre, atol=1e-12)
    across = np.hypot(*(inner - outer).T)
    widths = [layout.width, *(piece.width for piece in layout.pieces)]
    assert across.min() == pytest.approx(min(widths))
    assert across.max() == pytest.approx(max(widths))


@pytest.mark.parametrize("name", LOOPS)
def test_inner_is_the_inside_of_every_loop(name: str) -> None:
    route = tracks.route(name)
    outside, inside = Polygon(route[:, 4:6]), Polygon(route[:, 2:4])
    assert outside.is_valid
    assert inside.is_valid
    assert outside.contains(inside)
    assert outside.contains(LineString(route[:, 0:2]))
    assert not inside.intersects(LineString(route[:, 0:2]))


@pytest.mark.parametrize("name", [name for name in tracks.names() if name not in LOOPS])
def test_inner_is_the_left_of_every_open_track(name: str) -> None:
    route = tracks.route(name)
    ahead, left = np.diff(route[:, 0:2], axis=0), (route[:, 2:4] - route[:, 0:2])[:-1]
    assert (ahead[:, 0] * left[:, 1] - ahead[:, 1] * left[:, 0] > 0).all()


@pytest.mark.parametrize("name", [name for name in LOOPS if name != "oval"])
def test_every_loop_but_the_oval_turns_both_ways(name: str) -> None:
    turns = [piece.turn for piece in tracks.read(name).pieces]
    assert min(turns) < 0 < max(turns)


def test_between_the_parts_of_every_road_there_is_field(layout: tracks.Layout) -> None:
    """On a curve that never bends tighter, two points so far apart along it are at least `clear` apart."""
    route = layout.route()
    centre, half = route[:, 0:2], 0.5 * np.hypot(*(route[:, 2:4] - route[:, 4:6]).T)
    clear = half[:, None] + half + FIELD
    station = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(centre, axis=0).T))])
    along = np.abs(station[:, None] - station)
    along = np.minimum(along, station[-1] - along) if layout.loop else along
    apart = np.hypot(*np.moveaxis(centre[:, None] - centre, 2, 0))
    assert np.all((along < 0.5 * math.pi * clear) | (apart > clear - 1e-3))


def test_no_inside_border_is_a_point(layout: tracks.Layout) -> None:
    before = [layout.width, *(piece.width for piece in layout.pieces)]
    for piece, width in zip(layout.pieces, before, strict=False):
        assert not piece.turn or piece.size - 0.5 * max(width, piece.width) >= 0.5 * FIELD


def test_what_is_measured_is_what_the_layout_says(layout: tracks.Layout) -> None:
    measured = tracks.measure(layout.route())
    assert measured.length == pytest.approx(layout.length, rel=1e-3)
    assert measured.direction == layout.direction
    assert measured.loop == layout.loop
    if math.isfinite(layout.sharpest_radius):
        assert measured.sharpest_radius == pytest.approx(layout.sharpest_radius, rel=1e-6)
    else:
        assert math.isinf(measured.sharpest_radius)


def test_a_route_is_made_the_same_every_time() -> None:
    assert np.array_equal(tracks.route("grand_prix"), tracks.route("grand_prix"))
