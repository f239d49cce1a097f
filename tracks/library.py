"""Where tracks are found and kept: shipped layouts, the user's imported routes, and files by their path."""

from __future__ import annotations

import difflib
import io
import os
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from tokenize import TokenError

import numpy as np
import numpy.typing as npt

from tracks.check import errors
from tracks.layout import BadTrack, Layout

Array = npt.NDArray[np.float64]

SUFFIXES = (".npy", ".toml")

#: The shipped tracks: name to file, by name.
CATALOGUE: Mapping[str, Path] = {path.stem: path for path in sorted(Path(__file__).parent.glob("*.toml"))}


class TrackNotFound(LookupError):  # noqa: N818  (reads as what was found)
    """No track of that name or path; one sentence that suggests the nearest name."""


def names() -> list[str]:
    """Names of the shipped tracks."""
    return list(CATALOGUE)


def user_folder() -> Path:
    """Folder of imported tracks, which need not exist: in ``$RACER_DATA`` or the platform's place."""
    return _data_folder(os.environ, sys.platform, Path.home()) / "tracks"


def _data_folder(environment: Mapping[str, str], platform: str, home: Path) -> Path:
    if environment.get("RACER_DATA"):
        return Path(environment["RACER_DATA"]).expanduser()
    if platform == "darwin":
        return home / "Library" / "Application Support" / "racer"
    if platform == "win32":
        return Path(environment.get("LOCALAPPDATA") or home / "AppData" / "Local") / "racer"
    given = Path(environment.get("XDG_DATA_HOME", ""))
    return (given if given.is_absolute() else home / ".local" / "share") / "racer"


def imported() -> dict[str, Path]:
    """Imported tracks: name to file, by name."""
    return {path.stem: path for path in sorted(user_folder().glob("*.npy"))}


def find(name: str | Path) -> Path:
    """Find the file of a track.

    Args:
        name: a path to a ``.npy`` or ``.toml`` file, or the name of a shipped or an imported track.

    Raises:
        TrackNotFound: there is none; the sentence suggests the nearest name.
    """
    path = Path(name).expanduser()
    if path.suffix in SUFFIXES or len(path.parts) > 1:
        if path.is_file():
            return path
        raise TrackNotFound(f"there is no track file {path}{_by_name(path.stem)}")
    known = {**imported(), **CATALOGUE}
    if str(name) not in known:
        raise TrackNotFound(f"no track is called {str(name)!r}; {_suggestion(str(name), known)}")
    return known[str(name)]


def _by_name(stem: str) -> str:
    return f"; the track {stem!r} is known by that name" if stem in CATALOGUE or stem in imported() else ""


def _suggestion(name: str, known: Iterable[str]) -> str:
    folded = {one.lower(): one for one in known}
    close = difflib.get_close_matches(name.lower(), folded, n=1)
    return f"did you mean {folded[close[0]]!r}?" if close else "`racer tracks list` shows those that there are"


def read(name: str | Path) -> Layout:
    """Read the layout of a shipped track or of a ``.toml`` file.

    Raises:
        TrackNotFound: there is none.
        BadTrack: it is a route without a layout, or the layout is wrong.
    """
    path = find(name)
    if path.suffix != ".toml":
        raise BadTrack(f"{path}: a route has no layout; only .toml files have one")
    return Layout.read(path)


def route(name: str | Path) -> Array:
    """Load the route (N, 6) of a track: centre, inner and outer border, metres.

    A route file is read as it is; `tracks.problems` says what is wrong with it.

    Raises:
        TrackNotFound: there is no such track.
        BadTrack: the file cannot be read as numbers, or its layout does not close.
    """
    path = find(name)
    return Layout.read(path).route() if path.suffix == ".toml" else _numbers(_content(path), path)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadTrack(f"{path}: {error.strerror}") from error


def _numbers(content: bytes, path: Path) -> Array:
    """Read a numpy file. Nothing in it is ever executed: pickled objects are refused."""
    try:
        loaded = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError, OSError, MemoryError, SyntaxError, TokenError) as error:
        raise BadTrack(f"{path} is not a .npy file of numbers: {error}") from error
    if loaded.dtype.kind not in "fiu":
        raise BadTrack(f"{path} holds {loaded.dtype.name}, but must hold numbers (float64)")
    return loaded.astype(np.float64)


def import_routes(paths: Iterable[str | Path], *, force: bool = False) -> list[Path]:
    """Copy route files into the user's folder, all of them or none.

    Args:
        paths: ``.npy`` files without errors; a track is then known by its file's name without the ending.
        force: replace an imported track of the same name.

    Returns:
        Where they lie now.

    Raises:
        TrackNotFound: a file does not exist.
        BadTrack: a file has errors, its name is taken, or it cannot be written; the sentence says which.
    """
    folder, contents = user_folder(), dict[Path, bytes]()
    for source in map(Path, paths):
        content = _checked(source)
        target = folder / source.name
        if contents.get(target, content) != content:
            raise BadTrack(f"{source}: two different files are called {source.name}; import one of them")
        if target.exists() and not force and _content(target) != content:
            raise BadTrack(f"{source}: another track is called {source.stem!r} already ({target}); --force replaces it")
        contents[target] = content
    _write_all(folder, contents)
    return list(contents)


def _checked(path: Path) -> bytes:
    """The content of a route file that may be imported."""
    if path.suffix != ".npy":
        raise BadTrack(f"{path} is not a .npy file; a layout (.toml) needs no import, its path is enough")
    if path.stem in CATALOGUE:
        raise BadTrack(f"{path}: {path.stem!r} is the name of a shipped track; rename the file")
    content = _content(find(path))
    wrong = errors(_numbers(content, path))
    if wrong:
        raise BadTrack(f"{path}: {wrong[0]}" + (f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""))
    return content


def _write_all(folder: Path, contents: Mapping[Path, bytes]) -> None:
    """Write files beside the folder's others first, so that a full disk leaves none of them."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".import-", dir=folder) as aside:
            for target, content in contents.items():
                (Path(aside) / target.name).write_bytes(content)
            for target in contents:
                (Path(aside) / target.name).replace(target)
    except OSError as error:
        raise BadTrack(f"tracks cannot be written to {folder}: {error.strerror}") from error
