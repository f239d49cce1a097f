from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from shapely.geometry import LineString, Point
from shapely.ops import nearest_points

import tracks

Route = npt.NDArray[np.float64]
CENTRE, INNER, OUTER = slice(0, 2), slice(2, 4), slice(4, 6)

FOLDER = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "tracks"
ORIGINALS = sorted(FOLDER.glob("*.npy"))
REASON = "DeepRacer's own routes are not here"
PARAMETERS = [pytest.param(path, id=path.stem) for path in ORIGINALS] or [
    pytest.param(None, marks=pytest.mark.skip(REASON))
]

#: Length and mean width, m, and direction of some of DeepRacer's routes, measured with shapely.
KNOWN = {
    "reinvent_base": (17.71, 0.761, "counter-clockwise"),
    "Monaco": (60.27, 1.434, "clockwise"),
    "Oval_track": (19.55, 0.609, "counter-clockwise"),
    "FS_June2020": (52.87, 0.913, "clockwise"),
    "reInvent2019_wide_cw": (16.60, 1.053, "clockwise"),
    "Straight_track": (5.71, 0.610, "open"),
}


@pytest.fixture(params=PARAMETERS)
def original(request: pytest.FixtureRequest) -> Route:
    return np.asarray(np.load(request.param), np.float64)


def quiet_row(route: Route) -> int:
    """A row in the middle that is not repeated and lies on a straight stretch, as far as there is one."""
    radius = np.minimum(np.minimum(np.roll(tracks.measures.radii(route), 1), tracks.measures.radii(route)), 1e3)
    step = np.hypot(*np.diff(route[:, CENTRE], axis=0, append=route[-1:, CENTRE]).T)
    middle = slice(len(route) // 4, 3 * len(route) // 4)
    near = (step < 1e-9) | (np.roll(step, 1) < 1e-9) | (np.roll(step, -1) < 1e-9)
    return middle.start + int(np.argmax(np.where(near, 0.0, radius)[middle]))


def without_closing_row(route: Route) -> Route:
    return route[:-1]


def with_a_shifted_end(route: Route) -> Route:
    out = route.copy()
    out[-1] += 0.02
    return out


def with_borders_left_open(route: Route) -> Route:
    out = route.copy()
    out[-1, INNER] += 1e-6
    return out


def with_nan(route: Route) -> Route:
    out = route.copy()
    out[3, 4] = np.nan
    return out


def squeezed(route: Route) -> Route:
    out = route.copy()
    for border in (INNER, OUTER):
        out[:, border] = route[:, CENTRE] + 0.3 * (route[:, border] - route[:, CENTRE])
    return out


def with_exchanged_inner_rows(route: Route) -> Route:
    out, row = route.copy(), quiet_row(route)
    out[[row, row + 2], INNER] = route[[row + 2, row], INNER]
    return out


def with_exchanged_centre_rows(route: Route) -> Route:
    out, row = route.copy(), quiet_row(route)
    out[[row, row + 2], CENTRE] = route[[row + 2, row], CENTRE]
    return out


def with_borders_exchanged_in_one_row(route: Route) -> Route:
    out, row = route.copy(), quiet_row(route)
    out[row, INNER], out[row, OUTER] = route[row, OUTER], route[row, INNER]
    return out


BROKEN: dict[Callable[[Route], Route], str] = {
    with_nan: "not finite",
    squeezed: "too narrow",
    with_exchanged_inner_rows: "crosses itself, turns back",
    with_exchanged_centre_rows: "crosses itself, turns back",
    with_borders_exchanged_in_one_row: "lines cross",
}
OPENED = (without_closing_row, with_a_shifted_end, with_borders_left_open)


def test_deepracers_own_routes_have_no_errors(original: Route) -> None:
    assert tracks.errors(original) == []


@pytest.mark.parametrize("reverse", [False, True])
def test_a_route_is_as_good_in_reverse(original: Route, reverse: bool) -> None:
    assert tracks.errors(original[::-1] if reverse else original) == []


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.__name__)
def test_a_broken_route_has_the_error_that_was_made(original: Route, broken: Callable[[Route], Route]) -> None:
    (problem,) = tracks.errors(broken(original))
    assert problem.kind in BROKEN[broken].split(", ")
    assert problem.row is not None


@pytest.mark.parametrize("broken", OPENED, ids=lambda broken: broken.__name__)
def test_a_loop_with_a_gap_has_that_error_and_no_other(original: Route, broken: Callable[[Route], Route]) -> None:
    loop = bool(np.array_equal(original[0], original[-1]))
    assert [problem.kind for problem in tracks.errors(broken(original))] == (["not closed"] if loop else [])


def test_a_crossing_is_found_where_it_is() -> None:
    route = tracks.route("oval")
    broken = with_exchanged_inner_rows(route)
    row = quiet_row(route)
    (problem,) = tracks.errors(broken)
    assert problem.row in (row - 1, row, row + 1)
    assert (problem.x, problem.y) == tuple(route[problem.row, CENTRE])
    assert f"row {problem.row} ({problem.x:.2f}, {problem.y:.2f})" in str(problem)


def test_roads_that_cross_are_found() -> None:
    turn = np.linspace(0.0, 2.0 * np.pi, 200)
    centre = np.stack([4.0 * np.sin(turn), 2.0 * np.sin(2.0 * turn)], axis=1)
    ahead = np.stack([4.0 * np.cos(turn), 4.0 * np.cos(2.0 * turn)], axis=1)
    across = 0.5 * np.stack([-ahead[:, 1], ahead[:, 0]], axis=1) / np.hypot(*ahead.T)[:, None]
    eight = np.concatenate([centre, centre + across, centre - across], axis=1)
    eight[-1] = eight[0]
    kinds = {problem.kind for problem in tracks.errors(eight)}
    assert {"crosses itself", "lines cross"} <= kinds


def test_a_lap_driven_twice_crosses_itself() -> None:
    route = tracks.route("oval")
    assert tracks.errors(np.concatenate([route[:-1], route]))[0].kind == "crosses itself"


def test_a_narrow_place_is_found_where_it_is() -> None:
    route = tracks.route("oval")
    row = quiet_row(route)
    for border in (INNER, OUTER):
        route[row, border] = route[row, CENTRE] + 0.4 * (route[row, border] - route[row, CENTRE])
    (problem,) = tracks.errors(route)
    assert (problem.kind, problem.row) == ("too narrow", row)
    assert "0.43 m wide, but 0.53 m is the least" in str(problem)


def test_borders_on_one_side_are_an_error() -> None:
    route = tracks.route("straight")
    route[:, OUTER] = route[:, INNER] + [0.0, 0.8]
    assert tracks.errors(route)[0].kind == "same side"


@pytest.mark.parametrize(
    ("route", "kind"),
    [
        (np.zeros((10, 5)), "shape"),
        (np.zeros(60), "shape"),
        (np.zeros((10, 6)), "no length"),
        (np.zeros((3, 6)), "rows"),
        (np.zeros((10_001, 6)), "rows"),
        (np.zeros((0, 6)), "rows"),
        (np.full((10, 6), "x"), "not numeric"),
        (np.full((10, 6), 1j), "not numeric"),
        (np.full((10, 6), None), "not numeric"),
        (np.full((10, 6), np.inf), "not finite"),
        (np.full((10, 6), 1e300), "not finite"),
    ],
)
def test_what_is_no_route_has_one_error(route: npt.NDArray[np.generic], kind: str) -> None:
    (problem,) = tracks.problems(route)
    assert (problem.kind, problem.is_error) == (kind, True)


def test_whole_numbers_are_numbers() -> None:
    x = np.arange(8)
    route = np.stack([x, 0 * x, x, 0 * x + 1, x, 0 * x - 1], axis=1)
    assert tracks.problems(route) == []


def test_repeated_points_tight_bends_and_exchanged_borders_are_remarks() -> None:
    alley = tracks.route("alley")
    twice = np.insert(alley, 20, alley[20], axis=0)
    small = np.concatenate([0.4 * alley[:, CENTRE]] * 3, axis=1)
    small[:, 2:] += alley[:, 2:] - np.tile(alley[:, CENTRE], 2)
    exchanged = alley[:, [0, 1, 4, 5, 2, 3]]
    for route, kind in ((twice, "repeated"), (small, "too tight"), (exchanged, "swapped")):
        assert kind in [problem.kind for problem in tracks.problems(route) if not problem.is_error]
    assert tracks.errors(twice) == []
    assert tracks.errors(exchanged) == []


@pytest.mark.parametrize("name", KNOWN)
def test_deepracers_own_routes_measure_what_they_are_known_to(name: str) -> None:
    if not ORIGINALS:
        pytest.skip(REASON)
    measured = tracks.measure(np.load(FOLDER / f"{name}.npy"))
    length, width, direction = KNOWN[name]
    assert measured.length == pytest.approx(length, abs=0.0051)
    assert measured.width == pytest.approx(width, abs=0.003)
    assert measured.direction == direction


@pytest.mark.parametrize("name", ["oval", "bottleneck", "technical", "slalom"])
def test_widths_agree_with_shapely(name: str) -> None:
    route = tracks.route(name)
    inner, outer = LineString(route[:, INNER]), LineString(route[:, OUTER])
    for point, width in zip(route[:, CENTRE], tracks.measures.widths(route), strict=True):
        a, b = (nearest_points(Point(point), border)[1] for border in (inner, outer))
        assert width == pytest.approx(a.distance(b), abs=1e-9)


def test_the_radius_of_a_circle_is_found_everywhere_on_it() -> None:
    turn = np.linspace(0.0, 2.0 * np.pi, 90)
    centre = 1.3 * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    centre[-1] = centre[0]
    assert np.allclose(tracks.measures.radii(np.concatenate([centre, centre / 2, centre * 2], axis=1)), 1.3)
