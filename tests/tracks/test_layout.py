import math
from pathlib import Path

import numpy as np
import pytest

from tracks import BadTrack, Layout

OVAL = """
width = 1.0
pieces = [{ straight = 2 }, { left = 180, radius = 1.5 }, { straight = "fit" }, { left = 180, radius = 1.5 }]
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def with_pieces(pieces: str, rest: str = "") -> str:
    return f"width = 1.0\n{rest}\npieces = [{pieces}]\n"


def test_a_straight_that_fits_is_as_long_as_the_other(tmp_path: Path) -> None:
    layout = Layout.read(written(tmp_path, OVAL))
    assert layout.name == layout.title == "mine"
    assert layout.pieces[2].length == pytest.approx(2.0)
    assert layout.length == pytest.approx(4.0 + 3.0 * math.pi)


def test_a_radius_can_fit_too(tmp_path: Path) -> None:
    layout = Layout.read(written(tmp_path, OVAL.replace("1.5 }]", '"fit" }]')))
    assert layout.pieces[3].size == pytest.approx(1.5)


def test_the_other_way_round_is_the_mirror_image(tmp_path: Path) -> None:
    left = Layout.read(written(tmp_path, OVAL))
    right = Layout.read(written(tmp_path, OVAL.replace("left", "right")))
    assert (left.direction, right.direction) == ("counter-clockwise", "clockwise")
    assert np.allclose(left.route() * [1, -1, 1, -1, 1, -1], right.route(), atol=1e-12)


def test_the_heading_turns_the_whole_track(tmp_path: Path) -> None:
    east = Layout.read(written(tmp_path, OVAL)).route()
    north = Layout.read(written(tmp_path, "heading = 90\n" + OVAL)).route()
    assert np.allclose(north.reshape(-1, 2), east.reshape(-1, 2) @ [[0.0, 1.0], [-1.0, 0.0]], atol=1e-12)


def test_the_width_changes_along_a_piece_and_stays_after_it(tmp_path: Path) -> None:
    pieces = "{ straight = 3 }, { straight = 3, width = 0.7 }, { straight = 3 }"
    route = Layout.read(written(tmp_path, with_pieces(pieces, "loop = false"))).route()
    x, width = route[:, 0], np.hypot(*(route[:, 2:4] - route[:, 4:6]).T)
    assert np.allclose(width[x <= 3.0], 1.0)
    assert np.allclose(width[x >= 6.0], 0.7)
    assert np.all(np.diff(width) <= 0)


def test_an_open_track_ends_at_the_end_of_its_last_piece(tmp_path: Path) -> None:
    path = written(tmp_path, with_pieces("{ straight = 3 }, { left = 90, radius = 2 }", "loop = false"))
    assert np.allclose(Layout.read(path).route()[-1, :2], [5.0, 2.0])


REFUSED = {
    "pieces is missing": "width = 1.0",
    "pieces is missing: a list": "width = 1.0\npieces = []",
    "has an unknown 'widht'; did you mean 'width'?": OVAL.replace("width", "widht"),
    "piece 1 has an unknown 'metres'; allowed are straight": with_pieces("{ metres = 3 }"),
    "piece 1 says neither": with_pieces("{ radius = 3 }"),
    "piece 1 says straight and left": with_pieces("{ straight = 1, left = 30, radius = 1 }"),
    "piece 1 has no radius": with_pieces("{ left = 30 }"),
    "piece 1 is a straight with a radius": with_pieces("{ straight = 1, radius = 1 }"),
    "piece 1 is 3, but must be like": with_pieces("3"),
    "piece 1 says straight = -1, but straight must be a number above 0": with_pieces("{ straight = -1 }"),
    "piece 1 says straight = inf": with_pieces("{ straight = inf }"),
    "piece 1 says left = True": with_pieces("{ left = true, radius = 1 }"),
    "piece 1 says left = 400, but left must be a number above 0, at most 360": with_pieces(
        "{ left = 400, radius = 1 }"
    ),
    "says width = '1'": OVAL.replace("1.0", '"1"', 1),
    "has no width": OVAL.replace("width = 1.0", ""),
    "title is 3, but must be text": "title = 3\n" + OVAL,
    "loop is 'yes', but must be true or false": 'loop = "yes"\n' + OVAL,
    "heading must be a number": 'heading = "north"\n' + OVAL,
    "the turns add up to 270°": OVAL.replace("180", "90", 1),
    "it ends +0.500 m in x and +0.000 m in y from its start": OVAL.replace('"fit"', "1.5"),
    "it ends +0.000 m in x and -1.000 m in y": OVAL.replace("1.5 }]", "2.0 }]"),
    '3 pieces "fit", but two are enough': OVAL.replace("1.5", '"fit"'),
    'pieces 1 and 3 "fit", but point the same way': OVAL.replace("straight = 2", 'straight = "fit"'),
    "it ends 0.8 m wide, but begins 1 m wide": OVAL.replace("1.5 }]", "1.5, width = 0.8 }]"),
    'only a loop can "fit" a piece': "loop = false\n" + OVAL,
    "piece 2 has a radius of 1.5 m, less than half its width of 3.2 m": OVAL.replace("1.0", "3.2", 1),
    "Invalid value": "width = ",
}


@pytest.mark.parametrize("sentence", REFUSED)
def test_a_wrong_layout_is_refused_with_one_sentence(tmp_path: Path, sentence: str) -> None:
    path = written(tmp_path, REFUSED[sentence])
    with pytest.raises(BadTrack) as caught:
        Layout.read(path)
    said = str(caught.value)
    assert said.startswith(f"{path}: ")
    assert sentence in said
    assert "\n" not in said


def test_a_piece_that_would_have_to_run_backwards_is_refused(tmp_path: Path) -> None:
    corner = "{ left = 90, radius = 1 }"
    pieces = f'{{ straight = 4 }}, {corner}, {{ straight = "fit" }}, {corner}, {{ straight = 1 }}, {corner}, '
    pieces += f'{{ straight = 2 }}, {corner}, {{ straight = "fit" }}'
    with pytest.raises(BadTrack, match=r'piece 9 that must "fit" would have to measure -3\.000 m'):
        Layout.read(written(tmp_path, with_pieces(pieces)))
