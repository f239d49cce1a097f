"""A track agrees with shapely, an independent geometry library, at every point that a car could reach."""

import math
from bisect import bisect_right
from pathlib import Path

import numpy as np
import pytest
import shapely

import tracks
from racer_env.errors import TrackError
from racer_env.geometry import CELL, left_of_centre, waypoints_around
from racer_env.kernel import COMPILED, Floats
from racer_env.track import Track, find_track

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "tracks"
RECORDED = sorted(str(path) for path in SHARED.glob("*.npy"))
POINTS = 300 if COMPILED else 60


@pytest.fixture(scope="module", params=[*tracks.names(), *RECORDED], ids=lambda name: Path(name).stem)
def track(request: pytest.FixtureRequest) -> Track:
    return find_track(request.param)


@pytest.fixture(scope="module")
def oval() -> Track:
    return find_track("oval")


@pytest.fixture(scope="module")
def points(track: Track) -> Floats:
    """On and beside the road, anywhere within and around the track, and far outside its grid."""
    draw = np.random.default_rng(7)
    left, bottom, right, top = track.bounds
    beside = track.centre[draw.integers(len(track.centre), size=POINTS)] + draw.normal(0.0, 0.4, (POINTS, 2))
    around = draw.uniform((left - 2.0, bottom - 2.0), (right + 2.0, top + 2.0), (POINTS, 2))
    far = draw.uniform(-80.0, 80.0, (POINTS // 6, 2))
    grid = track.geometry.grid
    corners = (grid.left, grid.bottom) + CELL * draw.integers(0, (grid.columns, grid.rows), (5 * POINTS, 2))
    return np.concatenate((beside, around, far, corners + draw.normal(0.0, 1e-3, corners.shape)))


def nearest(line: shapely.LineString, points: Floats) -> Floats:
    at = shapely.line_interpolate_point(line, shapely.line_locate_point(line, shapely.points(points)))
    return np.asarray(shapely.get_coordinates(at))


def test_a_projection_is_where_shapely_finds_it(track: Track, points: Floats) -> None:
    line, p = shapely.LineString(track.centre), shapely.points(points)
    found = track.project(points)
    np.testing.assert_allclose(found[:, 0], shapely.line_locate_point(line, p), atol=1e-9)
    np.testing.assert_allclose(found[:, 1], shapely.distance(line, p), atol=1e-9)
    np.testing.assert_allclose(found[:, 2:], nearest(line, points), atol=1e-9)
    assert np.ptp(found[:, 0]) > 0.9 * track.length


def test_a_width_is_the_distance_of_the_border_points_nearest_to_the_centre_line(track: Track, points: Floats) -> None:
    foot = nearest(shapely.LineString(track.centre), points)
    inner, outer = (nearest(shapely.LineString(border), foot) for border in (track.inner, track.outer))
    np.testing.assert_allclose(track.widths(foot), np.hypot(*(inner - outer).T), atol=1e-9)


def test_the_road_lies_between_the_borders(track: Track, points: Floats) -> None:
    if track.closed:
        rings = [shapely.Polygon(border) for border in (track.inner, track.outer)]
        road = shapely.symmetric_difference(*rings)
    else:
        road = shapely.Polygon(np.concatenate((track.outer, track.inner[::-1])))
    assert shapely.is_valid(road)
    inside = shapely.contains(road, shapely.points(points))
    assert track.contains(points).tolist() == inside.tolist()
    assert 0 < inside.sum() < len(points)


def test_left_of_centre_is_nearer_to_the_border_on_the_left(track: Track, points: Floats) -> None:
    p = shapely.points(points)
    inner, outer = (shapely.distance(shapely.LineString(border), p) for border in (track.inner, track.outer))
    ring = shapely.LinearRing(track.centre) if track.closed else None
    counter_clockwise = ring is None or ring.is_ccw
    assert track.counter_clockwise == counter_clockwise
    found = [left_of_centre(x, y, track.geometry) for x, y in points]
    assert found == ((inner < outer) == counter_clockwise).tolist()


def test_on_a_road_left_of_centre_is_to_the_left_of_the_driving_direction(track: Track) -> None:
    station = np.linspace(0.02, 0.98, 25) * track.length
    x, y, yaw = track.poses(station).T
    for side in (0.1, -0.1):
        aside = np.stack((x - side * np.sin(yaw), y + side * np.cos(yaw)), axis=1)
        found = [left_of_centre(px, py, track.geometry) for px, py in aside]
        assert found == [side > 0] * 25


def test_waypoints_are_those_behind_and_ahead_along_the_line(track: Track, points: Floats) -> None:
    line = shapely.LineString(track.centre)
    steps = np.hypot(*np.diff(track.centre, axis=0).T)
    share = np.append(np.append(0.0, np.cumsum(steps))[:-1] / line.length, 1.0).tolist()
    for n in shapely.line_locate_point(line, shapely.points(points), normalized=True).tolist():
        following = bisect_right(share, n)
        if (
            min(abs(s - n) for s in share[following - 1 : following + 1]) < 1e-12
        ):  # at a vertex rounding decides; that case is tested below
            continue
        wanted = ((following - 1) % len(share), following % len(share))
        assert waypoints_around(n, track.geometry.normal) == wanted


def test_at_the_line_the_waypoints_are_the_first_two_and_at_its_very_end_they_wrap(track: Track) -> None:
    last = len(track.centre) - 1
    normal = track.geometry.normal
    assert waypoints_around(0.0, normal) == (0, 1)
    assert waypoints_around(1.0, normal) == (last, 0)
    assert waypoints_around(np.nextafter(1.0, 0.0), normal) == (last - 1, last)


def test_at_a_vertex_the_waypoints_are_it_and_the_next(track: Track) -> None:
    station, length = track.geometry.centre.station, track.length
    doubled = np.append(np.diff(station) == 0.0, False)
    for i in np.flatnonzero(~doubled)[:-1]:
        assert waypoints_around(station[i] / length, track.geometry.normal) == (i, i + 1)


def test_poses_are_on_the_lines_and_look_at_the_next_vertex(track: Track) -> None:
    station = np.append(np.random.default_rng(3).uniform(0.0, 0.98, 40), 0.0) * track.length
    for lane, border in (("centre", track.centre), ("inner_lane", track.inner), ("outer_lane", track.outer)):
        line = shapely.LineString(0.5 * (track.centre + border))
        s = np.minimum(station, 0.98 * line.length)
        poses = track.poses(s, lane)
        np.testing.assert_allclose(poses[:, :2], shapely.get_coordinates(line.interpolate(s)), atol=1e-9)
        ahead = np.searchsorted(getattr(track.geometry, lane).station, s, side="right")
        dx, dy = (shapely.get_coordinates(line)[ahead] - poses[:, :2]).T
        np.testing.assert_allclose(np.cos(poses[:, 2] - np.arctan2(dy, dx)), 1.0, atol=1e-9)


def test_poses_go_on_around_a_loop_and_stop_at_the_ends_of_an_open_track(track: Track) -> None:
    before, start, end, after = track.poses(np.array([-0.3, 0.0, track.length, track.length + 0.3]))
    if track.closed:
        np.testing.assert_allclose(before, track.poses(np.array([track.length - 0.3]))[0], atol=1e-9)
        np.testing.assert_allclose(after, track.poses(np.array([0.3]))[0], atol=1e-9)
        np.testing.assert_array_equal(end, start)
    else:
        np.testing.assert_array_equal(before, start)
        np.testing.assert_array_equal(after, end)
        np.testing.assert_allclose(end[:2], track.centre[-1], atol=1e-12)


def test_a_reversed_track_is_the_same_road_driven_the_other_way(track: Track, points: Floats) -> None:
    back = Track.from_route(track.route, "back", reverse=True)
    assert back.waypoints == track.waypoints[::-1]
    assert (back.is_reversed, back.counter_clockwise) == (True, not track.counter_clockwise)
    assert back.length == pytest.approx(track.length, abs=1e-9)
    assert back.contains(points).tolist() == track.contains(points).tolist()
    there, again = track.project(points), back.project(points)
    np.testing.assert_allclose(there[:, 1], again[:, 1], atol=1e-9)
    apart = np.abs(there[:, 0] + again[:, 0] - track.length)
    np.testing.assert_allclose(np.minimum(apart, track.length - apart), 0.0, atol=1e-9)
    x, y = there[:, 2:].T
    np.testing.assert_allclose(track.widths(there[:, 2:]), back.widths(np.stack((x, y), axis=1)), atol=1e-9)
    for px, py in points[::7]:
        assert left_of_centre(px, py, track.geometry) != left_of_centre(px, py, back.geometry)


def test_waypoints_are_tuples_of_floats_and_a_loop_repeats_its_first(track: Track) -> None:
    assert all(type(p) is tuple and [type(v) for v in p] == [float, float] for p in track.waypoints)
    assert len(track.waypoints) == len(track.route)
    assert (track.waypoints[0] == track.waypoints[-1]) == track.closed


def test_dropping_duplicates_leaves_the_same_line_closed(track: Track) -> None:
    thin = Track.from_route(track.route, "thin", drop_duplicates=True)
    steps = np.hypot(*np.diff(thin.centre, axis=0).T)
    assert (steps > 1e-9).all()
    assert thin.length == pytest.approx(track.length, abs=1e-9)
    assert thin.closed == track.closed
    np.testing.assert_array_equal(thin.route[[0, -1]], track.route[[0, -1]])


@pytest.mark.parametrize("at", [0, 20, -2])
def test_a_duplicate_anywhere_changes_nothing_but_indices(oval: Track, at: int) -> None:
    doubled = Track.from_route(np.insert(oval.route, at, oval.route[at], axis=0), "doubled")
    draw = np.random.default_rng(5).uniform(-1.0, 5.0, (50, 2))
    np.testing.assert_allclose(doubled.project(draw), oval.project(draw), atol=1e-12)
    station = np.linspace(0.0, oval.length, 30)
    np.testing.assert_allclose(doubled.poses(station), oval.poses(station), atol=1e-9)
    thin = Track.from_route(doubled.route, "thin", drop_duplicates=True)
    np.testing.assert_array_equal(thin.route, oval.route)


@pytest.mark.parametrize("turn", np.linspace(0.0, 3.0, 12))
def test_the_end_of_an_open_track_can_be_reached(turn: float) -> None:
    straight = find_track("straight")
    c, s = math.cos(turn), math.sin(turn)
    turned = straight.route.reshape(-1, 3, 2) @ np.array([[c, s], [-s, c]])
    track = Track.from_route(turned.reshape(-1, 6), "turned")
    x, y, yaw = track.poses(np.array([track.length]))[0]
    beyond = np.array([[x + d * math.cos(yaw), y + d * math.sin(yaw)] for d in (1e-6, 0.1, 5.0)])
    assert (track.project(beyond)[:, 0] == track.length).all()


def test_figures_of_the_original_tracks_come_out(shared: Path) -> None:
    figures = {"reinvent_base": 17.71, "Spain_track": 60.00, "Vegas_track": 22.55, "Monaco": 60.27}
    for name, length in figures.items():
        track = find_track(shared / "data" / "tracks" / f"{name}.npy")
        assert round(track.length, 2) == length
    assert round(find_track(shared / "data" / "tracks" / "reinvent_base.npy").width, 3) == 0.761


def test_a_track_that_breaks_a_rule_is_refused_with_one_sentence(oval: Track) -> None:
    with pytest.raises(TrackError, match=r"^track cut: "):
        Track.from_route(oval.route[:, :4], "cut")
    with pytest.raises(TrackError, match="did you mean 'oval'"):
        find_track("ovall")
