"""A trained driver as a frozen TensorFlow graph: nodes that name their inputs, and how numpy runs them.

A graph may come from a stranger: it is checked when it is made, and it runs under limits of memory and work.
Whatever breaks a rule is a `BundleError` in one sentence.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property, lru_cache

import numpy as np

from racer_env.errors import BundleError, nearest
from racer_env.operations import OPERATIONS, Array, Sized, compute, cost
from racer_env.protobuf import Limit

#: What TensorFlow allows as the name of a node.
NAME = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*")

MAX_NODES = 4096
MAX_RANK = 8
MAX_HELD = 2**26  #: numbers that running nodes may hold for one frame; the original's networks need 6 million
#: Work for one frame, in multiplications (`racer_env.operations.cost`); the largest of the original's networks, which
#: has two cameras, needs 850 million. It keeps any network below a fifth of a second for a frame, on one core of 2023.
MAX_WORK = 2**30


class DType(Enum):
    """TensorFlow's number of an element type."""

    FLOAT = 1
    INT32 = 3
    INT64 = 9


@dataclass(frozen=True)
class Shape:
    """The sizes of a tensor's axes; -1 stands for any."""

    sizes: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.sizes) > MAX_RANK:
            raise BundleError(f"a shape of {len(self.sizes)} axes is impossible; at most {MAX_RANK} are allowed")
        if any(not -1 <= size < 2**31 for size in self.sizes):
            raise BundleError(f"the shape {self} is impossible; sizes are -1 (any) to {2**31 - 1}")

    def __str__(self) -> str:
        return f"[{','.join(str(size) for size in self.sizes)}]"

    def admits(self, shape: tuple[int, ...]) -> bool:
        """Say whether an array may have that shape; the first axis counts frames and has any size."""
        return len(shape) == len(self.sizes) and all(
            size in (-1, have) for size, have in zip(self.sizes[1:], shape[1:], strict=True)
        )


#: ``bytes`` is text such as b"VALID", a tuple is a list of integers, an array is a tensor.
Attribute = bool | int | float | bytes | tuple[int, ...] | DType | Shape | Array


@dataclass(frozen=True, eq=False)
class Node:
    """One operation: what it is called, what it computes, from which nodes."""

    name: str
    op: str
    inputs: tuple[str, ...] = ()  #: names of nodes; ``name:0`` means the same, ``^name`` only says "after that one"
    attributes: Mapping[str, Attribute] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"node {self.name!r} ({self.op})"

    @property
    def sources(self) -> tuple[str, ...]:
        """The names of the nodes whose values it takes, in order."""
        return tuple(name.removesuffix(":0") for name in self.inputs if not name.startswith("^"))

    @property
    def ancestors(self) -> tuple[str, ...]:
        """The names of all nodes that come before it."""
        return tuple(name.removesuffix(":0").removeprefix("^") for name in self.inputs)

    @property
    def shape(self) -> Shape | None:
        """The shape that it says it has, as a placeholder does."""
        shape = self.attributes.get("shape")
        return shape if isinstance(shape, Shape) else None


@dataclass(frozen=True, eq=False)
class Graph:
    """Nodes whose inputs are each other. Raises `BundleError` unless names, operations and inputs are known.

    Attributes:
        nodes: in the order of the file, which need not be an order to compute them in.
    """

    nodes: tuple[Node, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.nodes) <= MAX_NODES:
            raise BundleError(f"the graph has {len(self.nodes)} nodes, but must have 1 to {MAX_NODES}")
        if len(self.by_name) < len(self.nodes):
            twice = next(n.name for i, n in enumerate(self.nodes) if self.by_name[n.name] is not n)
            raise BundleError(f"the graph has two nodes of the name {twice!r}")
        for node in self.nodes:
            _check_node(node, self.by_name)
        if len(self.order) < len(self.nodes):
            done = {node.name for node in self.order}
            stuck = next(node for node in self.nodes if node.name not in done)
            raise BundleError(f"{stuck} waits for itself: the graph has a cycle")

    @cached_property
    def by_name(self) -> dict[str, Node]:
        """Every node by its name."""
        return {node.name: node for node in self.nodes}

    @cached_property
    def order(self) -> tuple[Node, ...]:
        """The nodes, each after its inputs; nodes of a cycle are missing."""
        waits = {node.name: len(set(node.ancestors)) for node in self.nodes}
        heirs: dict[str, list[Node]] = {node.name: [] for node in self.nodes}
        for node in self.nodes:
            for name in dict.fromkeys(node.ancestors):
                heirs[name].append(node)
        ready = [node for node in self.nodes if not waits[node.name]]
        for node in ready:  # grows while we go
            for heir in heirs[node.name]:
                waits[heir.name] -= 1
                if not waits[heir.name]:
                    ready.append(heir)
        return tuple(ready)

    @cached_property
    def sinks(self) -> tuple[str, ...]:
        """The nodes that no other takes as an input; the car makes each of them an output."""
        used = {name for node in self.nodes for name in node.ancestors}
        return tuple(node.name for node in self.nodes if node.name not in used)

    @cached_property
    def placeholders(self) -> tuple[Node, ...]:
        """The nodes that a driver's observations are fed to."""
        return tuple(node for node in self.nodes if node.op == "Placeholder")

    def tensors(self) -> Iterable[tuple[Node, Array]]:
        """Give every constant with its node."""
        for node in self.nodes:
            value = node.attributes.get("value")
            if node.op == "Const" and isinstance(value, np.ndarray):
                yield node, value

    def needed(self, output: str) -> tuple[Node, ...]:
        """Give the nodes that an output is computed from, in an order to compute them in."""
        if output not in self.by_name:
            raise BundleError(f"the graph has no node {output!r}")
        wanted = {output}
        for node in reversed(self.order):
            if node.name in wanted:
                wanted.update(node.sources)
        return tuple(node for node in self.order if node.name in wanted)


@lru_cache
def _signature(op: str) -> inspect.Signature:
    return inspect.signature(OPERATIONS[op])


def _check_node(node: Node, known: Mapping[str, Node]) -> None:
    if not NAME.fullmatch(node.name):
        raise BundleError(f"a node has the impossible name {node.name!r}")
    if node.op not in OPERATIONS:
        kind = nearest(node.op, OPERATIONS)
        raise BundleError(f"node {node.name!r} is of the kind {node.op!r}, which no driver needs; {kind}")
    for name in node.ancestors:
        if name not in known:
            raise BundleError(f"{node} takes {name!r}, which the graph does not have")
    try:
        _signature(node.op).bind(node.attributes, *node.sources)
    except TypeError as error:
        raise BundleError(f"{node} has {len(node.sources)} inputs: {error}") from error


def execute(graph: Graph, feeds: Mapping[str, Array], output: str | None = None) -> Array:
    """Run a graph for a batch of n frames.

    Args:
        graph: what to run.
        feeds: for each placeholder that the output needs, by node name, its values (n, ...).
        output: the node to compute; the only sink if not given.

    Returns:
        The values (n, ...) of the output.

    Raises:
        BundleError: the graph cannot be computed, or only with more memory or time than a driver may take.
    """
    if output is None:
        if len(graph.sinks) != 1:
            raise BundleError(
                f"the graph has {len(graph.sinks)} outputs ({', '.join(graph.sinks[:3])}, ...); say which"
            )
        output = graph.sinks[0]
    nodes = graph.needed(output)
    inputs = {node.name: _feed(node, feeds) for node in nodes if node.op == "Placeholder"}
    frames = max((len(value) for value in inputs.values()), default=1)
    if frames > 1 and any(n.shape and n.shape.sizes[0] == 1 for n in nodes if n.op == "Placeholder"):
        singles = ({name: value[i : i + 1] for name, value in inputs.items()} for i in range(frames))
        return np.concatenate([_run(nodes, single, 1)[output] for single in singles])
    return _run(nodes, inputs, frames)[output]


def fold(graph: Graph, output: str) -> tuple[dict[str, Array], tuple[Node, ...]]:
    """Compute all that no placeholder changes: the constants by name, and the nodes that remain, in order."""
    nodes, live = graph.needed(output), set[str]()
    for node in nodes:
        if node.op == "Placeholder" or live.intersection(node.sources):
            live.add(node.name)
    constants = _run([node for node in nodes if node.name not in live], {}, 1)
    return constants, tuple(node for node in nodes if node.name in live)


def _feed(node: Node, feeds: Mapping[str, Array]) -> Array:
    if node.name not in feeds:
        raise BundleError(f"{node} is fed nothing; it is fed by name, and there are: {', '.join(sorted(feeds))}")
    value = np.asarray(feeds[node.name], np.float32)
    if value.ndim < 1 or (node.shape and not node.shape.admits(value.shape)):
        raise BundleError(f"{node} has the shape {node.shape} but is fed {value.shape}")
    return value


class Budget:
    """The memory and the work that a graph may take for some frames.

    Shapes, and so both, depend on the number of frames, but on nothing that is fed: no operation makes integers of
    floats.
    """

    def __init__(self, frames: int) -> None:
        self._held = Limit(MAX_HELD * frames, "numbers at a time")
        self._work = Limit(MAX_WORK * frames, f"multiplications for {frames} frame(s)")

    def spend(self, node: Node, inputs: Sequence[Sized]) -> None:
        """Count what a node will take. Raises `BundleError`, which names it, when it is too much."""
        with _blaming(node, inputs):
            size, work = cost(node.op, node.attributes, inputs)
            self._held.take(size)
            self._work.take(work)


def _run(nodes: Iterable[Node], values: dict[str, Array], frames: int) -> dict[str, Array]:
    budget, values = Budget(frames), dict(values)
    for node in nodes:
        if node.name in values:
            continue
        inputs = [values[name] for name in node.sources]
        budget.spend(node, inputs)
        with _blaming(node, inputs), np.errstate(all="ignore"):
            values[node.name] = compute(node.op, node.attributes, inputs)
    return values


@contextmanager
def _blaming(node: Node, inputs: Sequence[Sized]) -> Iterator[None]:
    """Let what is wrong begin with the node."""
    try:
        yield
    except BundleError as error:
        raise BundleError(f"{node}: {error}") from error
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        shapes = ", ".join(str(tuple(x.shape)) for x in inputs)
        raise BundleError(f"{node} cannot be computed from {shapes}: {error}") from error
