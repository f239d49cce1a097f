"""Fuzzes the readers of strangers' files with atheris, which follows what code each input reaches.

    python -m pip install atheris
    python tests/fuzz/fuzz_bundle.py CORPUS -max_total_time=600 -rss_limit_mb=2048 -timeout=20

CORPUS is a folder for inputs that reached something new; it is begun with valid files. The first byte of an input
says what the rest is: a frozen graph, a car's archive, a zip of a virtual model, ``model_metadata.json``, or
``deepracer_checkpoints.json``; graphs and metadata are also opened as a whole driver. Whatever is refused must be a
`BundleError` in one line; a driver that opens must answer, in numpy and in torch. Anything else is a crash, which
atheris writes to a file; give that file instead of CORPUS to see it again.
"""

from __future__ import annotations

import io
import json
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["racer_env"]):
    from racer_env.archive import pack, unpack
    from racer_env.bundle import Bundle
    from racer_env.car import ContinuousActions
    from racer_env.errors import BundleError, MetadataError
    from racer_env.graphdef import decode, encode
    from racer_env.inspection import inspect_file, inspect_graph, inspect_metadata
    from racer_env.metadata import ModelMetadata
    from racer_env.model_files import CHECKPOINTS, ModelFiles, find_model
    from racer_env.network import NetworkDriver
    from racer_env.policy_layers import policy_layers

COACH = Path(__file__).resolve().parents[1] / "racer_env" / "coach"
METADATA = ModelMetadata().to_json().encode()
SAID = json.dumps({f"{which}_checkpoint": {"name": "3_Step-9.ckpt"} for which in ("best", "last")}).encode()
SMALL = (COACH / "ppo_discrete.pb").read_bytes()
FOLDER = Path(tempfile.mkdtemp())


def driven(model: bytes, metadata: bytes) -> None:
    """Open a driver and let it drive; whatever it can do, it does."""
    bundle = Bundle.of(ModelFiles("fuzzed", model, metadata))
    with suppress(BundleError):
        inspect_file(metadata)
        inspect_metadata(bundle.metadata)
        inspect_graph(bundle.graph, bundle.metadata)
    with suppress(BundleError):
        policy_layers(bundle.graph)
    frames = bundle.blank(2)
    slow, fast = bundle.decide(frames), NetworkDriver(bundle).policy(frames)
    assert slow.shape == fast.shape


def graph(data: bytes) -> None:
    """Read a graph, alone and as a driver."""
    read = decode(data)
    assert encode(decode(encode(read))) == encode(read)
    driven(data, METADATA)


def metadata(data: bytes) -> None:
    """Read metadata, alone and as a driver's."""
    with suppress(MetadataError, BundleError):
        read = ModelMetadata.parse(data)
        inspect_file(data)
        inspect_metadata(read)
    driven(SMALL, data)


def archive(data: bytes) -> None:
    """Read a car's archive."""
    unpack(io.BytesIO(data))


def virtual(data: bytes) -> None:
    """Read a zip."""
    (FOLDER / "model.zip").write_bytes(data)
    for which in ("best", "last"):
        find_model(FOLDER / "model.zip", which)


def checkpoints(data: bytes) -> None:
    """Read a list of checkpoints in an otherwise good model."""
    (FOLDER / "model").mkdir(exist_ok=True)
    for name, content in {CHECKPOINTS: data, "model_3.pb": b"", "model_metadata.json": METADATA}.items():
        (FOLDER / "model" / name).write_bytes(content)
    find_model(FOLDER / "model")


READERS: tuple[Callable[[bytes], None], ...] = (graph, archive, virtual, metadata, checkpoints)


def one(data: bytes) -> None:
    """Give one input to the reader that its first byte names."""
    if not data:
        return
    try:
        READERS[data[0] % len(READERS)](data[1:])
    except BundleError as error:
        if "\n" in str(error) or len(str(error)) > 2000:
            raise AssertionError("that is more than one sentence") from error


def zipped() -> bytes:
    """A valid virtual model."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in {CHECKPOINTS: SAID, "model_3.pb": b"graph", "model_metadata.json": METADATA}.items():
            file.writestr(f"model/{name}", content)
    return out.getvalue()


def begun(corpus: Path) -> None:
    """Put valid files into an empty corpus."""
    corpus.mkdir(parents=True, exist_ok=True)
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w:gz") as tar:
        tar.addfile(tarfile.TarInfo("agent/"))
    seeds = {
        0: [file.read_bytes() for file in sorted(COACH.glob("*.pb"))],
        1: [pack(b"\x0a\x00", METADATA), plain.getvalue()],
        2: [zipped()],
        3: [
            METADATA,
            replace(ModelMetadata(), actions=ContinuousActions((-30.0, 30.0), (1.0, 2.0))).to_json().encode(),
        ],
        4: [SAID],
    }
    for kind, contents in seeds.items():
        for i, content in enumerate(contents):
            (corpus / f"seed-{kind}-{i}").write_bytes(bytes([kind]) + content)


def main() -> None:
    """Fuzz until told to stop."""
    for word in sys.argv[1:]:
        if not word.startswith("-") and not Path(word).is_file():
            begun(Path(word))
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
