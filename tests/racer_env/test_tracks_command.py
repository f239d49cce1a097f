import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

import tracks
from racer_env.commands.tracks import app
from racer_env.errors import RacerError, TrackError
from racer_env.render.track_picture import FIELD, ROAD, SIZE, track_picture

THUMBNAILS = Path(tracks.__file__).parent / "thumbnails"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RACER_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "160")
    return tmp_path / "data" / "tracks"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def output(*arguments: str | Path) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def refusal(*arguments: str | Path) -> str:
    error = run(*arguments).exception
    assert isinstance(error, TrackError)
    return str(error)


def broken(path: Path) -> Path:
    np.save(path, tracks.route("oval")[:-1])
    return path


def test_list_names_every_track_with_its_numbers(tmp_path: Path) -> None:
    np.save(tmp_path / "mine.npy", tracks.route("kidney"))
    output("import", tmp_path / "mine.npy")
    table = output("list")
    for name in [*tracks.names(), "mine"]:
        assert name in table
    rows = {row["name"]: row for row in json.loads(output("list", "--json"))}
    assert rows["oval"]["length"] == pytest.approx(17.05, abs=0.01)
    assert rows["oval"]["sharpest_radius"] == pytest.approx(1.6)
    assert rows["straight"]["sharpest_radius"] is None
    assert (rows["straight"]["kind"], rows["boomerang"]["direction"]) == ("open", "clockwise")
    assert (rows["oval"]["source"], rows["mine"]["source"]) == ("shipped", "imported")


def test_list_survives_an_imported_file_that_broke(folder: Path) -> None:
    folder.mkdir(parents=True)
    broken(folder / "mine.npy")
    (folder / "other.npy").write_bytes(b"nothing")
    assert "the loop is not closed" in output("list")
    assert [row["name"] for row in json.loads(output("list", "--json")) if "problem" in row] == [
        "mine",
        "other",
    ]


def test_show_says_the_numbers_and_draws(tmp_path: Path) -> None:
    text = output("show", "grand_prix", "--png", tmp_path / "gp.png")
    assert "Grand Prix (grand_prix)" in text
    assert "59.98 m" in text
    with Image.open(tmp_path / "gp.png") as picture:
        assert picture.size == SIZE
    assert [path.name for path in tmp_path.iterdir()] == ["gp.png"]
    assert json.loads(output("show", "oval", "--json"))["width"] == pytest.approx(1.07, abs=2e-3)


def test_show_refuses_with_a_sentence(tmp_path: Path) -> None:
    assert "did you mean 'oval'?" in refusal("show", "ovall")
    assert "the loop is not closed" in refusal("show", broken(tmp_path / "open.npy"))
    assert "cannot be written: No such file" in refusal("show", "oval", "--png", tmp_path / "no" / "oval.png")
    (tmp_path / "mine.toml").write_text("width = 3")
    assert "pieces is missing" in refusal("show", tmp_path / "mine.toml")


def test_import_tells_what_it_did_or_why_not(tmp_path: Path, folder: Path) -> None:
    good = tmp_path / "good.npy"
    np.save(good, tracks.route("ell"))
    assert "open.npy: the loop is not closed" in refusal("import", good, broken(tmp_path / "open.npy"))
    assert not folder.exists()
    assert f"imported good ({folder / 'good.npy'})" in output("import", good)
    np.save(good, tracks.route("oval"))
    assert "--force replaces it" in refusal("import", good)
    output("import", "--force", good)
    assert np.array_equal(tracks.route("good"), tracks.route("oval"))


def test_check_exits_with_2_for_errors_only(tmp_path: Path) -> None:
    assert output("check", "oval") == "oval: fine\n"
    np.save(tmp_path / "twice.npy", np.insert(tracks.route("oval"), 5, tracks.route("oval")[5], axis=0))
    assert "remark: row 5" in output("check", tmp_path / "twice.npy")
    path = broken(tmp_path / "open.npy")
    result = run("check", path)
    assert result.exit_code == 2
    assert "error: the loop is not closed" in result.output
    result = run("check", path, "--json")
    assert result.exit_code == 2
    said = json.loads(result.output)
    assert said["ok"] is False
    assert [(p["severity"], p["kind"], p["row"]) for p in said["problems"]] == [("error", "not closed", 115)]


def test_random_writes_a_sound_route_and_its_picture(tmp_path: Path) -> None:
    path, picture = tmp_path / "new.npy", tmp_path / "new.png"
    said = output("random", "-o", path, "--length", "22", "--width", "0.8", "--seed", "3", "--picture", picture)
    assert re.search(r"new\.npy: (21\.99|22\.00) m, 0\.8 m wide, (counter-)?clockwise$", said.strip())
    assert output("check", path).endswith("fine\n")
    with Image.open(picture) as image:
        assert image.size == SIZE
    assert sorted(tmp_path.iterdir()) == [path, picture]
    before = path.read_bytes()
    output("random", "-o", path, "--length", "22", "--width", "0.8", "--seed", "3")
    assert path.read_bytes() == before


def test_random_refuses_with_a_sentence(tmp_path: Path) -> None:
    assert "must end in .npy" in refusal("random", "-o", tmp_path / "new.txt")
    assert "cannot be 5 m long" in refusal("random", "-o", tmp_path / "new.npy", "--length", "5")
    assert "cannot be written: No such file" in refusal("random", "-o", tmp_path / "no" / "new.npy")
    wrong = run("random", "-o", tmp_path / "new.npy", "--picture", tmp_path / "new.jpg").exception
    assert isinstance(wrong, RacerError)
    assert "must end in .png" in str(wrong)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", tracks.names())
def test_every_thumbnail_is_small_and_shows_the_track_as_it_is(name: str) -> None:
    path = THUMBNAILS / f"{name}.png"
    assert path.stat().st_size < 20_000
    with Image.open(path) as thumbnail:
        assert thumbnail.size == SIZE
        shown = np.asarray(thumbnail.convert("RGB"), np.float64)
    assert np.abs(shown - np.asarray(track_picture(tracks.route(name)), np.float64)).mean() < 2.0


def test_there_is_no_thumbnail_of_a_track_that_does_not_exist() -> None:
    assert {path.stem for path in THUMBNAILS.glob("*.png")} == set(tracks.names())


def test_the_picture_shows_road_where_there_is_road() -> None:
    picture = np.asarray(track_picture(tracks.route("oval")))
    assert tuple(picture[SIZE[1] // 2, SIZE[0] // 2]) == FIELD
    assert tuple(picture[2, 2]) == FIELD
    road = np.all(picture == ROAD, axis=2).mean()
    assert 0.25 < road < 0.6


def test_the_command_loads_little_until_it_runs() -> None:
    code = "import sys, racer_env.commands.tracks; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"PIL", "numba", "torch", "tracks", "pygame"} & set(loaded)
