"""The lens: rays are those of a pinhole, and the lines of a row lie where its rays meet the floor."""

import math

import numpy as np
import pytest

from racer_env.sensors.ground import LEVELS, TEXEL
from racer_env.sensors.lens import FARTHEST, SKY, WALL_HEIGHT, Lens, make_lens

ABOVE, PITCH = 0.13, 0.24


@pytest.fixture(scope="module", params=[(1.13, True), (2.094, False)])
def lens(request: pytest.FixtureRequest) -> Lens:
    field_of_view, antialiased = request.param
    return make_lens((160, 120), field_of_view, ABOVE, PITCH, antialiased)


def test_rays_of_rows_are_those_of_a_pinhole_turned_down(lens: Lens) -> None:
    angles = np.arctan2(lens.down, lens.forward)
    np.testing.assert_allclose(angles, PITCH + np.arctan((np.arange(120) - 59.5) / lens.focal))
    np.testing.assert_allclose(np.hypot(lens.forward, lens.down), np.hypot(1.0, (np.arange(120) - 59.5) / lens.focal))


def test_lines_of_a_row_lie_around_where_its_middle_meets_the_floor(lens: Lens) -> None:
    for row in range(60, 120):
        lines = slice(lens.first[row], lens.first[row + 1])
        middle = ABOVE * lens.forward[row] / lens.down[row]
        assert lens.ahead[lines].min() <= middle + 1e-9
        assert lens.ahead[lines].max() >= middle - 1e-9
        np.testing.assert_allclose(np.median(lens.ahead[lines]), middle, rtol=0.05)
        np.testing.assert_allclose(np.median(lens.step[lines]), ABOVE / lens.down[row] / lens.focal, rtol=0.05)


def test_rows_that_look_up_see_the_plane_of_the_wall_tops(lens: Lens) -> None:
    row = 0
    lines = slice(lens.first[row], lens.first[row + 1])
    assert (lens.level[lines] == SKY).all()
    reach = (WALL_HEIGHT - ABOVE) * lens.forward[row] / -lens.down[row]
    np.testing.assert_allclose(lens.ahead[lines].mean(), reach, rtol=0.02)


def test_nothing_is_sampled_too_far_away_or_too_finely(lens: Lens) -> None:
    assert lens.ahead.max() <= FARTHEST
    assert lens.step[lens.level != SKY].max() <= TEXEL * 2**LEVELS
    floor = lens.level > 0
    assert (np.abs(np.log2(lens.step[floor] / lens.texel[floor])) < 1.51).all()
    assert math.isclose(lens.focal, 80.0 / math.tan(0.5 * 2.0 * math.atan(80.0 / lens.focal)))
