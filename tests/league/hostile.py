"""Files that somebody might submit who means no good, each made by a line or two of code."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import pickle
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from racer_env.graph import DType, Graph, Node, Shape
from racer_env.graphdef import encode
from racer_env.metadata import ModelMetadata
from racer_env.protobuf import blob, integer
from tests.league.conftest import ACTIONS, OUTPUT, PIXELS, linear_driver

CAMERA = "FRONT_FACING_CAMERA"
INPUT = f"main_level/agent/main/online/network_0/{CAMERA}/{CAMERA}"
WEIGHTS = np.random.default_rng(0).normal(size=(PIXELS, 3)).astype(np.float32)
NODES = linear_driver(WEIGHTS, CAMERA).nodes
MODEL = encode(linear_driver(WEIGHTS, CAMERA))
METADATA = ModelMetadata(actions=ACTIONS, sensors=(CAMERA,)).to_json().encode()
FLOAT = {"T": DType.FLOAT}

Members = list[tuple[str | tarfile.TarInfo, bytes]]


def tar(members: Members) -> bytes:
    """An archive of members as they are given, whatever they claim."""
    out = io.BytesIO()
    for given, content in members:
        member = given if isinstance(given, tarfile.TarInfo) else tarfile.TarInfo(given)
        member.size = member.size or len(content)
        out.write(member.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512))
    return out.getvalue() + bytes(1024)


def bundle(model: bytes = MODEL, metadata: bytes = METADATA, more: Members | None = None) -> bytes:
    """A driver's file."""
    return gzip.compress(tar([*(more or []), ("agent/model.pb", model), ("model_metadata.json", metadata)]), 1)


def entry(name: str, kind: bytes, target: str = "", size: int = 0) -> tarfile.TarInfo:
    """A member of a kind that a driver's file never has."""
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.size = kind, target, size
    return member


def pax(headers: dict[str, str]) -> bytes:
    """A driver's file whose model's header is overridden."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", format=tarfile.PAX_FORMAT) as archive:
        for name, content in (("agent/model.pb", MODEL), ("model_metadata.json", METADATA)):
            member = tarfile.TarInfo(name)
            member.size, member.pax_headers = len(content), headers if name.endswith("pb") else {}
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def described(**changes: Any) -> bytes:
    """A driver whose metadata say something else."""
    return bundle(metadata=json.dumps(json.loads(METADATA) | changes).encode())


def graph(*nodes: Node) -> bytes:
    """A driver of nodes that need not make a graph."""
    return bundle(encode(cast("Graph", SimpleNamespace(nodes=nodes))))


def const(name: str, value: np.ndarray[Any, Any]) -> Node:
    kind = {np.dtype(np.float32): DType.FLOAT, np.dtype(np.int32): DType.INT32}[value.dtype]
    return Node(name, "Const", (), {"dtype": kind, "value": value})


def weighted(value: float) -> bytes:
    """A driver with such a weight."""
    weights = WEIGHTS.copy()
    weights[7, 1] = value
    return bundle(encode(linear_driver(weights, CAMERA)))


def replaced(name: str, *nodes: Node) -> bytes:
    """A driver in which nodes stand in the place of one."""
    return graph(*(other for node in NODES for other in (nodes if node.name == name else (node,))))


def doubled(times: int) -> bytes:
    """A driver whose picture is put beside itself again and again."""
    axis = const("axis", np.array(1, np.int32))
    chain = [Node("d0", "Identity", ("flat",), FLOAT)]
    chain += [Node(f"d{i}", "ConcatV2", (f"d{i - 1}", f"d{i - 1}", "axis"), FLOAT) for i in range(1, times)]
    return graph(*NODES[:3], axis, *chain, Node(OUTPUT, "Softmax", (f"d{times - 1}",), FLOAT))


def multiplied(size: int, times: int) -> bytes:
    """A driver that multiplies large matrices again and again."""
    ones = const("ones", np.ones((size, 1), np.float32))
    square = Node("m0", "Mul", ("ones", "row"), FLOAT)
    row = Node("row", "Reshape", ("ones", "flat size"), FLOAT)
    chain = [Node(f"m{i}", "MatMul", (f"m{i - 1}", f"m{i - 1}"), FLOAT) for i in range(1, times)]
    shape = const("flat_size", np.array([1, size], np.int32))
    row = Node("row", "Reshape", ("ones", "flat_size"), FLOAT)
    return graph(*NODES[:1], shape, ones, row, square, *chain, Node(OUTPUT, "Softmax", (f"m{times - 1}",), FLOAT))


def tensor(sizes: tuple[int, ...], content: bytes) -> bytes:
    """A driver whose weights are a tensor that claims such sizes."""
    shape = b"".join(blob(2, integer(1, size & (2**64 - 1))) for size in sizes)
    value = blob(8, integer(1, 1) + blob(2, shape) + content)
    node = blob(1, b"weights") + blob(2, b"Const") + blob(5, blob(1, b"value") + blob(2, value))
    others = encode(cast("Graph", SimpleNamespace(nodes=[n for n in NODES if n.name != "weights"])))
    return bundle(others + blob(1, node))


class Opens:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        import os

        return os.system, ("touch /tmp/racer-was-here",)


def _zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("agent/model.pb", MODEL)
        archive.writestr("model_metadata.json", METADATA)
    return out.getvalue()


def _torch() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Opens()))
    return out.getvalue()


GOOD = bundle()
PLAIN = tar([("agent/model.pb", MODEL), ("model_metadata.json", METADATA)])
ZEROS = gzip.compress(bytes(2**26), 9)
POLICY = Node(OUTPUT, "Softmax", ("preference",), FLOAT)


def archives() -> Iterator[tuple[str, bytes]]:
    """What is wrong with the archive."""
    yield "nothing", b""
    yield "text", b"I am the fastest driver"
    yield "noise", np.random.default_rng(1).bytes(50_000)
    yield "gzip of nothing", gzip.compress(b"")
    yield "gzip of text", gzip.compress(b"I am the fastest driver" * 1000)
    yield "half an archive", GOOD[: len(GOOD) // 2]
    yield "an archive without its last bytes", GOOD[:-10]
    yield "an archive with another checksum", GOOD[:-8] + bytes(4) + GOOD[-4:]
    yield "tar that is not compressed", PLAIN
    yield "tar in bzip2", bz2.compress(PLAIN)
    yield "zip", _zip()
    yield "bomb of zeros behind the end", gzip.compress(PLAIN) + ZEROS * 48
    yield "bomb of zeros in a file", gzip.compress(PLAIN[:-1024]) + ZEROS * 48
    yield "bomb in a declared size", bundle(more=[(entry("logs.txt", tarfile.REGTYPE, size=2**40), b"")])
    yield "bomb of headers", gzip.compress(tar([("x" * 90, b"")] * 20_000), 1)
    yield "bomb of long names", gzip.compress(tar([("x" * 2**22 + str(i), b"") for i in range(3)]), 1)
    yield "1001 files", bundle(more=[(f"log-{i}.txt", b"") for i in range(1001)])
    yield "symbolic link", bundle(more=[(entry("key.txt", tarfile.SYMTYPE, "../keys/signing.pem"), b"")])
    yield (
        "model that is a symbolic link",
        gzip.compress(
            tar([(entry("agent/model.pb", tarfile.SYMTYPE, "/etc/passwd"), b""), ("model_metadata.json", METADATA)])
        ),
    )
    yield "hard link", bundle(more=[(entry("key.txt", tarfile.LNKTYPE, "keys/signing.pem"), b"")])
    yield "device", bundle(more=[(entry("disk.txt", tarfile.BLKTYPE), b"")])
    yield "pipe", bundle(more=[(entry("wait.txt", tarfile.FIFOTYPE), b"")])
    yield "absolute path", bundle(more=[("/etc/cron.d/racer.txt", b"* * * * * root true")])
    yield "path that leads out", bundle(more=[("../../keys/signing.txt", b"mine")])
    yield "path that leads out by a detour", bundle(more=[("agent/../../keys/signing.txt", b"mine")])
    yield "path that leads out at its far end", bundle(more=[("ab" * 97 + "/pad12/../../../evil.txt", b"mine")])
    yield "path that leads out by a header", pax({"path": "../model.pb"})
    yield "size by a header", pax({"size": "99999999999999"})
    yield "file with holes", pax({"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "9" * 14})
    yield "one file twice", bundle(more=[("agent/model.pb", MODEL)])
    yield "two models", bundle(more=[("other/model.pb", MODEL)])
    yield "a second model without an ending", bundle(more=[("README", b"read me")])
    yield "no model", gzip.compress(tar([("model_metadata.json", METADATA)]))
    yield "no metadata", gzip.compress(tar([("agent/model.pb", MODEL)]))
    yield (
        "metadata in a folder",
        gzip.compress(tar([("agent/model.pb", MODEL), ("agent/model_metadata.json", METADATA)])),
    )
    yield (
        "model that is a folder",
        gzip.compress(tar([(entry("agent/model.pb", tarfile.DIRTYPE), b""), ("model_metadata.json", METADATA)])),
    )


def descriptions() -> Iterator[tuple[str, bytes]]:
    """What is wrong with the metadata."""
    yield "metadata that are no JSON", bundle(metadata=b"import os")
    yield "metadata that are a list", bundle(metadata=b"[1, 2]")
    yield "metadata that nest without end", bundle(metadata=b"[" * 500_000)
    yield "metadata of 2 MB", bundle(metadata=METADATA + b" " * 2**21)
    yield "metadata that are no text", bundle(metadata=b"\xff\xfe" + METADATA)
    yield "sensor that does not exist", described(sensor=["CRYSTAL_BALL"])
    yield "sensor that the graph does not have", described(sensor=["LIDAR"])
    yield "one sensor too many", described(sensor=[CAMERA, "LIDAR"])
    yield "other camera", described(sensor=["STEREO_CAMERAS"])
    yield "no actions", described(action_space=[])
    yield (
        "one action too many",
        described(action_space=[{"steering_angle": i, "speed": 1.0, "index": i} for i in range(4)]),
    )
    yield (
        "a million actions",
        described(action_space=[{"steering_angle": 0, "speed": 1.0, "index": i} for i in range(10**4)]),
    )
    yield "action that is no number", bundle(metadata=METADATA.replace(b"1.0", b"NaN"))
    yield "action without end", bundle(metadata=METADATA.replace(b"1.0", b"1e999"))
    yield "action that is a program", described(action_space="__import__('os').system('true')")


def graphs() -> Iterator[tuple[str, bytes]]:
    """What is wrong with the graph."""
    yield "pickle", bundle(pickle.dumps(Opens()))
    yield "torch's archive", bundle(_torch())
    yield "program", bundle(b"import os\nos.system('true')\n" * 100)
    yield "model of nothing", bundle(b"")
    yield "half a graph", bundle(MODEL[: len(MODEL) // 2])
    yield "graph without its last byte", bundle(MODEL[:-1])
    yield "length without end", bundle(b"\x0a" + b"\xff" * 9 + b"\x01")
    yield "endless fields", bundle(b"\x0a\x00" * 400_000)
    yield "node that waits for itself", replaced("flat", Node("flat", "Add", ("flat", "flat"), FLOAT))
    yield (
        "loop of nodes",
        replaced("flat", Node("flat", "Identity", ("again",), FLOAT), Node("again", "Identity", ("flat",), FLOAT)),
    )
    yield "TensorFlow's loop", replaced(OUTPUT, Node("loop", "While", ("preference",)), POLICY)
    yield "operation that reads files", replaced("weights", Node("weights", "ReadFile", ("size",)))
    yield "operation that writes files", replaced("weights", Node("weights", "WriteFile", ("size", "flat")))
    yield "operation that runs Python", replaced(OUTPUT, Node(OUTPUT, "PyFunc", ("preference",)))
    yield "operation without its inputs", replaced(OUTPUT, Node(OUTPUT, "Softmax", (), FLOAT))
    yield "input that is not there", replaced(OUTPUT, Node(OUTPUT, "Softmax", ("nobody",), FLOAT))
    yield "two nodes of one name", graph(*NODES, NODES[2])
    yield (
        "5000 nodes",
        graph(*NODES[:-1], *(Node(f"n{i}", "Identity", ("preference",), FLOAT) for i in range(5000)), POLICY),
    )
    yield "name that is a command", replaced(OUTPUT, Node("policy; rm -rf ~", "Softmax", ("preference",), FLOAT))


def numbers() -> Iterator[tuple[str, bytes]]:
    """What is wrong with the graph's numbers and their shapes."""
    yield "weight that is no number", weighted(np.nan)
    yield "weight without end", weighted(np.inf)
    yield "weights that overflow", bundle(encode(linear_driver(np.full_like(WEIGHTS, 3e38), CAMERA)))
    yield "constant of 2**40 equal numbers", tensor((2**20, 2**20), blob(5, b"\x00\x00\x80?"))
    yield "constant that claims more than it has", tensor((PIXELS, 3), blob(4, bytes(16)))
    yield "constant of a negative size", tensor((-3, PIXELS), blob(4, bytes(16)))
    yield "constant of 20 axes", tensor((1,) * 20, blob(4, bytes(4)))
    yield "constants of a terabyte that add up", doubled(40)
    yield "multiplications without end", multiplied(3000, 200)
    yield "square that fills the memory", multiplied(200_000, 2)
    yield (
        "picture of another size",
        replaced(INPUT, Node(INPUT, "Placeholder", (), {"dtype": DType.FLOAT, "shape": Shape((-1, 12, 16, 1))})),
    )
    yield "weights of another shape", replaced("weights", const("weights", WEIGHTS.T.copy()))
    yield "shape that mixes frames", replaced("size", const("size", np.array([1, -1], np.int32)))
    yield "shape that cannot be", replaced("size", const("size", np.array([-1, 7], np.int32)))
    yield "answer of the wrong width", bundle(encode(linear_driver(WEIGHTS[:, :2], CAMERA)))
    yield "answer that sees nothing", graph(const("answer", np.ones((1, 3), np.float32)))
    yield (
        "two answers",
        graph(*NODES[:-1], Node("one", "Relu", ("preference",), FLOAT), Node("two", "Tanh", ("preference",), FLOAT)),
    )
    yield (
        "stride of nothing",
        replaced(
            "flat",
            const("kernel", np.ones((2, 2, 1, 1), np.float32)),
            Node("c", "Conv2D", (INPUT, "kernel"), FLOAT | {"strides": (1, 0, 0, 1), "padding": b"VALID"}),
            Node("flat", "Reshape", ("c", "size"), FLOAT | {"Tshape": DType.INT32}),
        ),
    )
    yield (
        "division by nothing",
        replaced(
            OUTPUT,
            const("zero", np.zeros((1, 3), np.float32)),
            Node("divided", "RealDiv", ("preference", "zero"), FLOAT),
            Node(OUTPUT, "Softmax", ("divided",), FLOAT),
        ),
    )


CORPUS = {name: content for make in (archives, descriptions, graphs, numbers) for name, content in make()}
