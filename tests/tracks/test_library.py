import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tracks
from tracks.library import _data_folder

HOME = Path("/home/ada")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RACER_DATA", str(tmp_path / "data"))
    return tmp_path / "data" / "tracks"


def saved(path: Path, name: str = "oval") -> Path:
    np.save(path, tracks.route(name))
    return path


def test_the_user_folder_follows_the_platform() -> None:
    assert _data_folder({}, "linux", HOME) == HOME / ".local/share/racer"
    assert _data_folder({"XDG_DATA_HOME": "/big/data"}, "linux", HOME) == Path("/big/data/racer")
    assert _data_folder({"XDG_DATA_HOME": "relative"}, "linux", HOME) == HOME / ".local/share/racer"
    assert _data_folder({}, "darwin", HOME) == HOME / "Library/Application Support/racer"
    assert _data_folder({"LOCALAPPDATA": "/local"}, "win32", HOME) == Path("/local/racer")
    assert _data_folder({"RACER_DATA": "/mine"}, "darwin", HOME) == Path("/mine")


def test_a_track_is_found_by_name_and_by_path(tmp_path: Path) -> None:
    path = saved(tmp_path / "mine.npy")
    for known in (path, str(path), "oval", tracks.CATALOGUE["oval"]):
        assert np.array_equal(tracks.route(known), tracks.route("oval"))


def test_an_imported_track_is_found_by_name(tmp_path: Path, folder: Path) -> None:
    source = saved(tmp_path / "mine.npy", "kidney")
    assert tracks.imported() == {}
    assert tracks.import_routes([source]) == [folder / "mine.npy"]
    assert tracks.imported() == {"mine": folder / "mine.npy"}
    assert np.array_equal(tracks.route("mine"), tracks.route("kidney"))
    assert (folder / "mine.npy").read_bytes() == source.read_bytes()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("ovel", "no track is called 'ovel'; did you mean 'oval'?"),
        ("OVAL", "no track is called 'OVAL'; did you mean 'oval'?"),
        ("", "no track is called ''; `racer tracks list` shows those that there are"),
        ("nürburgring", "`racer tracks list` shows those that there are"),
        ("oval.npy", "there is no track file oval.npy; the track 'oval' is known by that name"),
        ("no/where", "there is no track file no/where"),
    ],
)
def test_an_unknown_track_is_answered_with_the_nearest(name: str, sentence: str) -> None:
    with pytest.raises(tracks.TrackNotFound) as caught:
        tracks.find(name)
    assert sentence in str(caught.value)


def test_a_route_has_no_layout(tmp_path: Path) -> None:
    with pytest.raises(tracks.BadTrack, match="only \\.toml files have one"):
        tracks.read(saved(tmp_path / "mine.npy"))


def bad_files() -> dict[str, tuple[bytes, str]]:
    def content(*arrays: np.ndarray, archive: bool = False) -> bytes:
        out = io.BytesIO()
        if archive:
            np.savez(out, *arrays)
        else:
            np.save(out, arrays[0], allow_pickle=True)
        return out.getvalue()

    route = tracks.route("oval")
    hole = route.copy()
    hole[7, 2] = np.nan
    return {
        "text": (b"x,y\n1,2\n", "is not a .npy file of numbers"),
        "empty": (b"", "is not a .npy file of numbers"),
        "truncated": (content(route)[:900], "is not a .npy file of numbers"),
        "objects": (content(np.array([{}, print], dtype=object)), "is not a .npy file of numbers"),
        "words": (content(np.array(["a", "b"])), "must hold numbers"),
        "archive": (content(route, archive=True), "is not a .npy file of numbers"),
        "columns": (content(route[:, :4]), "the shape is (117, 4), but must be (N, 6)"),
        "hole": (content(hole), "row 7 holds nan in column 2"),
        "open": (content(route[:-1]), "the loop is not closed"),
    }


@pytest.mark.parametrize("kind", bad_files())
def test_a_bad_file_is_not_imported_and_neither_are_those_with_it(tmp_path: Path, folder: Path, kind: str) -> None:
    content, sentence = bad_files()[kind]
    path = tmp_path / "bad.npy"
    path.write_bytes(content)
    with pytest.raises(tracks.BadTrack) as caught:
        tracks.import_routes([saved(tmp_path / "good.npy"), path])
    assert str(caught.value).startswith(str(path))
    assert sentence in str(caught.value)
    assert not folder.exists()


def test_what_is_not_a_route_file_is_not_imported(tmp_path: Path) -> None:
    with pytest.raises(tracks.BadTrack, match=r"is not a \.npy file; a layout"):
        tracks.import_routes([tracks.CATALOGUE["oval"]])
    with pytest.raises(tracks.TrackNotFound, match="there is no track file"):
        tracks.import_routes([tmp_path / "missing.npy"])


def test_a_shipped_name_is_not_taken(tmp_path: Path) -> None:
    with pytest.raises(tracks.BadTrack, match="'oval' is the name of a shipped track"):
        tracks.import_routes([saved(tmp_path / "oval.npy")], force=True)


def test_a_different_track_is_replaced_only_by_force(tmp_path: Path, folder: Path) -> None:
    path = saved(tmp_path / "mine.npy", "oval")
    tracks.import_routes([path])
    tracks.import_routes([path])
    saved(path, "kidney")
    with pytest.raises(tracks.BadTrack, match="another track is called 'mine' already"):
        tracks.import_routes([path])
    assert np.array_equal(tracks.route("mine"), tracks.route("oval"))
    tracks.import_routes([path], force=True)
    assert np.array_equal(tracks.route("mine"), tracks.route("kidney"))
    assert [file.name for file in folder.iterdir()] == ["mine.npy"]


def test_two_tracks_of_one_name_are_refused_even_by_force(tmp_path: Path, folder: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    pair = [saved(tmp_path / "mine.npy", "oval"), saved(other / "mine.npy", "kidney")]
    with pytest.raises(tracks.BadTrack, match=r"two different files are called mine\.npy"):
        tracks.import_routes(pair, force=True)
    assert not folder.exists()


def test_an_import_that_cannot_be_written_is_refused(tmp_path: Path, folder: Path) -> None:
    folder.parent.mkdir()
    folder.write_text("in the way")
    with pytest.raises(tracks.BadTrack, match=r"tracks cannot be written to .*: File exists"):
        tracks.import_routes([saved(tmp_path / "one.npy")])
    assert folder.read_text() == "in the way"


def test_tracks_needs_numpy_only() -> None:
    code = "import sys, tracks; tracks.route('oval'); print(*sorted({m.split('.')[0] for m in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "numpy" in loaded
    assert not {"numba", "PIL", "gymnasium", "torch", "racer_env", "typer"} & set(loaded)
