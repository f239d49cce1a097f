"""Laws of finding a driver: every layout that DeepRacer hands out is read, and what could hurt is not."""

from __future__ import annotations

import contextlib
import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from racer_env import model_files
from racer_env.errors import BundleError
from racer_env.model_files import ModelFiles, find_model

METADATA = b'{"version": "5"}'
CHECKPOINTS = json.dumps(
    {
        "best_checkpoint": {"name": "3_Step-2337.ckpt", "avg_eval_metric": 100.0, "time_stamp": 5502.2},
        "last_checkpoint": {"name": "12_Step-9000.ckpt", "avg_eval_metric": 85.8, "time_stamp": 5734.3},
    }
).encode()

#: What a training of the original leaves; the zip that the console hands out has the same.
VIRTUAL: dict[str, bytes] = {
    "reward_function.py": b"boom()",
    "ip/hyperparameters.json": b"{}",
    "model/.coach_checkpoint": b"12_Step-9000.ckpt",
    "model/12_Step-9000.ckpt.index": b"\0",
    "model/deepracer_checkpoints.json": CHECKPOINTS,
    "model/model_3.pb": b"three",
    "model/model_12.pb": b"twelve",
    "model/model_metadata.json": METADATA,
}


def in_folder(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def in_zip(path: Path, files: dict[str, bytes] | list[tuple[zipfile.ZipInfo, bytes]]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items() if isinstance(files, dict) else files:
            archive.writestr(name, content)
    return path


def without(*names: str) -> dict[str, bytes]:
    return {name: content for name, content in VIRTUAL.items() if name not in names}


def test_a_virtual_model_is_read_from_its_folder_or_zip_best_or_last(tmp_path: Path) -> None:
    folder = in_folder(tmp_path / "my racer.v2", VIRTUAL)
    nested = {f"exported/{name}": content for name, content in VIRTUAL.items()}
    places = (
        folder,
        folder / "model",
        in_zip(tmp_path / "my racer.v2.zip", VIRTUAL),
        in_zip(tmp_path / "deep.zip", nested),
    )
    for path in places:
        name = "deep" if path.stem == "deep" else "my-racer-v2"
        assert find_model(path) == ModelFiles(name, b"three", METADATA)
        assert find_model(path, "last") == ModelFiles(name, b"twelve", METADATA)


def test_metadata_may_lie_above_the_model(tmp_path: Path) -> None:
    files = without("model/model_metadata.json") | {"model_metadata.json": METADATA}
    assert find_model(in_folder(tmp_path / "a", files)).model == b"three"
    assert find_model(in_zip(tmp_path / "a.zip", files)).model == b"three"


def test_a_single_model_needs_no_list_of_checkpoints(tmp_path: Path) -> None:
    files = {"agent/model.pb": b"only", "model_metadata.json": METADATA}
    assert find_model(in_folder(tmp_path / "a", files)) == ModelFiles("a", b"only", METADATA)
    assert find_model(in_zip(tmp_path / "b.zip", files)) == ModelFiles("b", b"only", METADATA)


def test_a_bare_graph_takes_the_metadata_beside_it(tmp_path: Path) -> None:
    folder = in_folder(tmp_path / "racer", VIRTUAL)
    assert find_model(folder / "model" / "model_12.pb") == ModelFiles("racer", b"twelve", METADATA)
    (folder / "lucky.pb").write_bytes(b"lucky")
    (folder / "model_metadata.json").write_bytes(METADATA)
    assert find_model(folder / "lucky.pb") == ModelFiles("lucky", b"lucky", METADATA)
    in_folder(tmp_path / "lost", {"deep/down/model.pb": b"1"})
    with pytest.raises(BundleError, match=r"needs its model_metadata\.json in the same folder or the one above"):
        find_model(tmp_path / "lost" / "deep" / "down" / "model.pb")


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({}, "holds no model, which is a .pb file"),
        (without("model/model_3.pb"), r"says that 'model/model_3.pb' is the best one, but there is model/model_12.pb"),
        (without("model/deepracer_checkpoints.json"), r"model_12.pb, model/model_3.pb and no deepracer_checkpoints"),
        (without("model/model_metadata.json"), r"no model_metadata.json beside or above 'model/model_3.pb'"),
        (VIRTUAL | {"other/deepracer_checkpoints.json": CHECKPOINTS}, "holds 2 models, each with its"),
        (VIRTUAL | {"model/deepracer_checkpoints.json": b"{"}, "is not JSON"),
        (VIRTUAL | {"model/deepracer_checkpoints.json": b"[" * 100_000}, "is not JSON"),
        (VIRTUAL | {"model/deepracer_checkpoints.json": b"[]"}, "does not name a best_checkpoint"),
        (VIRTUAL | {"model/deepracer_checkpoints.json": b'{"best_checkpoint": {"name": 3}}'}, "calls the best .* '3'"),
        (
            VIRTUAL | {"model/deepracer_checkpoints.json": b'{"best_checkpoint": {"name": "../3_Step-1.ckpt"}}'},
            "not like '3_Step-1234.ckpt'",
        ),
        (VIRTUAL | {"model/deepracer_checkpoints.json": b" " * (2**20 + 1)}, "more than the 1048576 bytes"),
    ],
)
def test_a_virtual_model_that_is_not_whole_is_refused_alike_in_folder_and_zip(
    files: dict[str, bytes], sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "model").mkdir()
    for path in (in_folder(tmp_path / "model", files), in_zip(tmp_path / "a.zip", files)):
        with pytest.raises(BundleError, match=sentence) as error:
            find_model(path)
        assert "\n" not in str(error.value)


def member(name: str, mode: int = 0o100644, **fields: Any) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    for key, value in fields.items():
        setattr(info, key, value)
    return info


GOOD = [(member(name), content) for name, content in VIRTUAL.items()]


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ([(member("../up.pb"), b"")], "leads out of the archive"),
        ([(member("a/../../up.pb"), b"")], "leads out of the archive"),
        ([(member("a\\..\\..\\up.pb"), b"")], "leads out of the archive"),
        ([(member("/etc/passwd"), b"")], "leads out of the archive"),
        ([(member("C:/up.pb"), b"")], "leads out of the archive"),
        ([(member("model/link.pb", 0o120777), b"/etc/passwd")], "link or a special file"),
        ([(member("fifo", 0o010644), b"")], "link or a special file"),
        ([(member("./model/model_3.pb"), b"other")], "holds 'model/model_3.pb' twice"),
        ([(member(f"{i}.csv"), b"") for i in range(1001)], "more than 1000 files"),
        ([(member("a" * 401), b"")], r"'a{40}'... is a name of 401 letters; at most 400"),
    ],
)
def test_a_zip_that_could_reach_out_or_hide_something_is_refused(
    members: list[tuple[zipfile.ZipInfo, bytes]], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(BundleError, match=sentence):
        find_model(in_zip(tmp_path / "a.zip", [*GOOD, *members]))
    assert find_model(in_zip(tmp_path / "a.zip", GOOD)).model == b"three"


def test_zip_bombs_are_refused_before_they_go_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_files, "MAX_BYTES", 2**20)
    bomb = in_zip(tmp_path / "bomb.zip", VIRTUAL | {"model/model_3.pb": bytes(2**24)})
    assert bomb.stat().st_size < 2**16
    with pytest.raises(BundleError, match=r"'model/model_3\.pb' has more than the 1048576 bytes that are allowed"):
        find_model(bomb)
    assert find_model(bomb, "last").model == b"twelve"


@pytest.mark.parametrize("kind", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_only_deflate_is_unpacked(tmp_path: Path, kind: int) -> None:
    packed = [(member(name, compress_type=kind), content) for name, content in VIRTUAL.items()]
    with pytest.raises(BundleError, match="encrypted or packed in a way other than deflate"):
        find_model(in_zip(tmp_path / "a.zip", packed))


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    data = bytearray(in_zip(tmp_path / "a.zip", VIRTUAL).read_bytes())
    at = data.find(b"PK\x01\x02")
    while at >= 0:
        data[at + 8] |= 1  # the flag of each file in the list at the end
        at = data.find(b"PK\x01\x02", at + 1)
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(BundleError, match="encrypted"):
        find_model(tmp_path / "a.zip")


def test_a_zip_whose_files_lie_before_its_beginning_is_refused(tmp_path: Path) -> None:
    good = in_zip(tmp_path / "a.zip", VIRTUAL).read_bytes()
    end = good.rfind(b"PK\x05\x06")
    for shift in (1, 10, 10**6, 2**31):  # of where the list of files is said to begin
        start = int.from_bytes(good[end + 16 : end + 20], "little") + shift
        (tmp_path / "a.zip").write_bytes(good[: end + 16] + start.to_bytes(4, "little") + good[end + 20 :])
        with pytest.raises(BundleError, match=r"not a whole \.zip archive"):
            find_model(tmp_path / "a.zip")


def test_names_that_differ_do_not_fill_the_screen(tmp_path: Path) -> None:
    data = bytearray(
        in_zip(tmp_path / "a.zip", {"model/" + "n" * 390 + ".pb": b"", "model_metadata.json": b""}).read_bytes()
    )
    data[data.find(b"nnn") : data.find(b"nnn") + 380] = b"\n\0" * 190  # in the file's own header, not in the list
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(BundleError, match=r"not a whole .zip archive: File name in directory") as error:
        find_model(tmp_path / "a.zip")
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 300


def test_a_file_without_a_name_does_no_harm(tmp_path: Path) -> None:
    data = bytearray(in_zip(tmp_path / "a.zip", VIRTUAL | {"x": b""}).read_bytes())
    data[data.rfind(b"PK\x01\x02") + 46] = 0  # the first letter of the last name in the list
    (tmp_path / "a.zip").write_bytes(data)
    assert find_model(tmp_path / "a.zip").model == b"three"


def test_links_that_lead_out_of_a_folder_are_not_followed(tmp_path: Path) -> None:
    folder = in_folder(tmp_path / "a", without("model/model_3.pb"))
    (tmp_path / "secret.pb").write_bytes(b"secret")
    (folder / "model" / "model_3.pb").symlink_to(tmp_path / "secret.pb")
    with pytest.raises(BundleError, match="link that leads out of the folder"):
        find_model(folder)
    (folder / "loop").symlink_to(folder)
    assert find_model(folder, "last").model == b"twelve"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    folder = in_folder(tmp_path / "a", without("model/model_3.pb"))
    os.mkfifo(folder / "model" / "model_3.pb")
    with pytest.raises(BundleError, match="not a plain file"):
        find_model(folder)


def test_a_folder_of_everything_is_not_searched_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_files, "MAX_ENTRIES", 10)
    with pytest.raises(BundleError, match="more than 10 files; give the folder that has the deepracer_checkpoints"):
        find_model(in_folder(tmp_path / "a", VIRTUAL | {f"logs/{i}.csv": b"" for i in range(10)}))


def test_apples_shadow_files_are_no_models(tmp_path: Path) -> None:
    shadows = {"__MACOSX/model/._model_3.pb": b"", "model/._model_3.pb": b"", "model/._model_metadata.json": b""}
    assert find_model(in_zip(tmp_path / "a.zip", VIRTUAL | shadows)).model == b"three"
    assert find_model(in_folder(tmp_path / "a", VIRTUAL | shadows)).model == b"three"


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_only_a_bundle_error_comes_from_a_broken_zip(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in VIRTUAL.items():
            archive.writestr(member(name), content)
    packed = bytearray(out.getvalue())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(packed) - 1))
        packed[at] = data.draw(st.integers(0, 255) | st.sampled_from(b"\0\xff\x80\x08PK/."))
    if data.draw(st.booleans()):
        del packed[data.draw(st.integers(0, len(packed) - 1)) :]
    path = tmp_path_factory.getbasetemp() / "broken.zip"
    path.write_bytes(packed)
    with contextlib.suppress(BundleError):
        assert find_model(path).metadata == METADATA
