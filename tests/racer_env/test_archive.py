"""Laws of the archive: it is read as the car reads it, and a stranger's can neither reach out nor blow up."""

from __future__ import annotations

import contextlib
import gzip
import io
import tarfile
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from racer_env import archive
from racer_env.archive import check_file_name, installed_name, unpack
from racer_env.archive import pack as pack_for_the_car
from racer_env.errors import BundleError

MODEL, METADATA = b"\x0a\x00" * 999, b"{}"
PB, META = ("agent/model.pb", MODEL), ("model_metadata.json", METADATA)


def pack(*members: tuple[str, bytes] | tarfile.TarInfo) -> io.BytesIO:
    """Pack files, or empty members of any kind, as anybody's tar would."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                tar.addfile(info, io.BytesIO(member[1]))
    out.seek(0)
    return out


def member(name: str, **fields: Any) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for key, value in fields.items():
        setattr(info, key, value)
    return info


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ((), "no model"),
        ((META,), "no model"),
        ((PB,), "no 'model_metadata.json' at its root"),
        ((PB, ("agent/model_metadata.json", META[1])), "at its root"),
        ((PB, META, ("agent/._model.pb", b"")), "two models"),
        ((PB, META, ("README", b"read me")), "two models"),
        ((PB, META, ("agent/.coach_checkpoint", b"")), "two models"),
        ((PB, META, ("x.p", b"")), "two models"),
        ((PB, META, META), "twice"),
        ((PB, META, ("./model_metadata.json", b"")), "twice"),
        ((PB, META, ("/etc/passwd.json", b"")), "leads out of the archive"),
        ((PB, META, ("../up.json", b"")), "leads out of the archive"),
        ((PB, META, ("a/../../up.json", b"")), "leads out of the archive"),
        ((PB, META, ("ab" * 97 + "/pad12/../../../up.json", b"")), "leads out of the archive"),
        (
            (PB, META, member("l.json", type=tarfile.SYMTYPE, linkname="/etc/passwd")),
            "link or a special file",
        ),
        (
            (PB, META, member("l.json", type=tarfile.LNKTYPE, linkname="agent/model.pb")),
            "link or a special file",
        ),
        ((PB, META, member("d.json", type=tarfile.CHRTYPE)), "link or a special file"),
        ((PB, META, member("f.json", type=tarfile.FIFOTYPE)), "link or a special file"),
        ((PB, ("model_metadata.json", b" " * (2**20 + 1))), "1048577 bytes, but at most 1048576"),
        ((PB, *[member(f"{i}.json") for i in range(1001)]), "more than 1000 files"),
        ((PB, META, ("n" * 401 + ".json", b"")), "is a name of 406 letters; at most 400 are allowed"),
    ],
)
def test_an_archive_that_the_car_or_we_cannot_trust_is_refused(members: Any, sentence: str) -> None:
    with pytest.raises(BundleError, match=sentence) as error:
        unpack(pack(*members))
    assert "\n" not in str(error.value)


def test_folders_and_other_files_do_no_harm() -> None:
    folder = member("./agent", type=tarfile.DIRTYPE)
    others = ("training.csv", b"1"), ("agent/worker_0.json", b"{}"), ("reward_function.py", b"boom")
    members = folder, (f"./{META[0]}", METADATA), ("./agent/model.pb", MODEL), *others
    assert unpack(pack(*members)) == (MODEL, METADATA)


def test_archives_of_every_flavour_of_tar_are_read() -> None:
    for kind in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1, format=kind) as tar:
            for name, data in (("agent/" + "long" * 20 + ".pb", MODEL), META):
                tar.addfile(member(name, size=len(data), mtime=1.5), io.BytesIO(data))
        assert unpack(io.BytesIO(out.getvalue())) == (MODEL, METADATA)


def test_bombs_are_refused_before_they_go_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_UNPACKED", 2**20)
    monkeypatch.setattr(archive, "MAX_HEADERS", 2**16)
    with pytest.raises(BundleError, match="unpacks to more than 1048576 bytes"):
        unpack(pack(("zeros.json", bytes(2**21))))
    with pytest.raises(BundleError, match="unpacks to more than 1048576 bytes"):
        unpack(pack(*((f"{i}.json", bytes(2**18)) for i in range(5))))
    comment = member("a.json", pax_headers={"comment": "x" * 2**18})
    with pytest.raises(BundleError, match="belong to no file"):
        unpack(pack(comment))
    endless = io.BytesIO(gzip.compress(bytes(512) + b"x" * 2**24))
    with pytest.raises(BundleError):
        unpack(endless)
    endless = io.BytesIO(gzip.compress(b"\0" * 2**24))
    with pytest.raises(BundleError, match=r"no model|belong to no file"):
        unpack(endless)


def test_headers_that_nest_without_end_are_refused() -> None:
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 4
    block = header.tobuf(tarfile.GNU_FORMAT) + b"abc\0".ljust(512, b"\0")
    with pytest.raises(BundleError, match=r"not a whole \.tar\.gz|belong to no file"):
        unpack(io.BytesIO(gzip.compress(block * 3000)))


def test_a_file_with_holes_is_refused() -> None:
    header = tarfile.TarInfo("agent/model.pb")
    header.type = tarfile.GNUTYPE_SPARSE
    with pytest.raises(BundleError, match=r"special file|not a whole"):
        unpack(io.BytesIO(gzip.compress(header.tobuf(tarfile.GNU_FORMAT) + bytes(1024))))


def test_an_archive_cut_off_or_changed_anywhere_is_never_read_as_another() -> None:
    data = pack_for_the_car(MODEL, METADATA)
    assert unpack(io.BytesIO(data)) == (MODEL, METADATA)
    for end in range(len(data)):
        with pytest.raises(BundleError, match=r"not a whole \.tar\.gz"):
            unpack(io.BytesIO(data[:end]))
    for at in range(10, len(data)):  # behind gzip's own header, which holds a time that nobody checks
        changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        with contextlib.suppress(BundleError):  # unless it is another way to pack the same
            assert unpack(io.BytesIO(changed)) == (MODEL, METADATA)


def test_packing_the_same_gives_the_same_bytes_and_two_plain_files() -> None:
    data = pack_for_the_car(MODEL, METADATA)
    assert data == pack_for_the_car(MODEL, METADATA)
    assert data[4:8] == bytes(4)  # gzip's time
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        members = tar.getmembers()
    assert [m.name for m in members] == ["agent/model.pb", "model_metadata.json"]
    plain = (0o644, 0, 0, "", "", 0, tarfile.REGTYPE)
    assert {(m.mode, m.uid, m.gid, m.uname, m.gname, m.mtime, m.type) for m in members} == {plain}
    assert gzip.decompress(data)[257:263] == b"ustar\0"


@pytest.mark.parametrize("name", ["racer.tgz", "my racer.tar.gz", "v1.2.tar.gz", ".tar.gz", "é.tar.gz", "a\n.tar.gz"])
def test_a_name_that_the_car_would_change_is_refused(name: str) -> None:
    check_file_name("My_racer-7.tar.gz")
    with pytest.raises(BundleError, match="letters, digits"):
        check_file_name(name)


def test_a_name_is_read_as_the_car_reads_it() -> None:
    names = {"racer.tar.gz": "racer", "v1.2.tar.gz": "v1", "my racer.tar.gz": "my_racer"}
    assert {name: installed_name(name) for name in names} == names
    for name, sentence in {"racer.zip": "ends with '.tar.gz'", ".tar.gz": "no name before"}.items():
        with pytest.raises(BundleError, match=sentence):
            installed_name(name)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_only_a_bundle_error_comes_from_a_broken_archive(data: st.DataObject) -> None:
    plain = bytearray(gzip.decompress(pack(META, PB, ("a" * 120 + ".json", b"{}")).getvalue()))
    headers = st.integers(0, len(plain) - 1)
    for _ in range(data.draw(st.integers(1, 5))):
        plain[data.draw(headers)] = data.draw(st.integers(0, 255) | st.sampled_from(b"\x80\xff\0 -7xgLKS123"))
    packed = bytearray(gzip.compress(bytes(plain), 1))
    if data.draw(st.booleans()):
        packed[data.draw(st.integers(0, len(packed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with contextlib.suppress(BundleError):
        model, metadata = unpack(io.BytesIO(bytes(packed)))
        assert len(model) + len(metadata) < len(plain)
