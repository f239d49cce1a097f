"""Parameters of a reward function: the constants at the top level of its file, such as ``SPEED_WEIGHT = 0.5``.

A constant is a name in capitals that the file assigns once, outside of functions and classes, and whose value is
written out as a number, a text, True or False. A sweep puts another value there and leaves the rest of the file as it
is, so that the file of a trial is complete: it can be read, trained and exported like any other.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import accumulate
from pathlib import Path

from racer_env.errors import RewardError, nearest
from racer_env.user_code import compile_file, read_source
from training.sweep.domain import Value

NAME = re.compile(r"[A-Z][A-Z0-9_]*")


def constants_of(path: Path) -> dict[str, Value]:
    """Give the constants of a reward file and their values. Raises `RewardError` if it is not valid Python."""
    return {name: ast.literal_eval(node) for name, node in _nodes(path).items()}


def with_constants(path: Path, values: Mapping[str, Value]) -> str:
    """Give the text of a reward file with other values of some of its constants.

    Raises:
        RewardError: the file is not valid Python, or has no constant of such a name.
    """
    nodes = _nodes(path)
    for name in values:
        if name not in nodes:
            hint = nearest(name, nodes) if nodes else "it has none, such as SPEED_WEIGHT = 0.5"
            raise RewardError(f"{path} has no constant {name!r} at its top level; {hint}")
    text = read_source(path).encode()
    starts = [0, *accumulate(map(len, text.splitlines(keepends=True)))]
    places = [(*_place(nodes[name], starts), repr(value).encode()) for name, value in values.items()]
    for begin, end, value in sorted(places, reverse=True):  # from the end on, so that what comes before stays in place
        text = text[:begin] + value + text[end:]
    return text.decode()


def _place(node: ast.expr, starts: list[int]) -> tuple[int, int]:
    """Where an expression begins and ends, in bytes of the file."""
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    return starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset


def _nodes(path: Path) -> dict[str, ast.expr]:
    """The value of each constant."""
    compile_file(path)  # which blames a file that is not valid Python by line
    module = ast.parse(read_source(path))
    stored = Counter(_stored(module))
    once = ((name, value) for name, value in _assigned(module) if NAME.fullmatch(name) and stored[name] == 1)
    return {name: value for name, value in once if _is_written_out(value)}


def _assigned(module: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Names and values of the plain assignments at the top level."""
    for node in module.body:
        match node:
            case ast.Assign(targets=[ast.Name(name)], value=value):
                yield name, value
            case ast.AnnAssign(target=ast.Name(name), value=ast.expr() as value):
                yield name, value


def _stored(node: ast.AST) -> Iterator[str]:
    """Names that are set outside of functions and classes, once for each time; and those that functions may set."""
    for child in ast.walk(node):
        if isinstance(child, ast.Global):
            yield from (name for name in child.names for _ in range(2))
    scopes = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda
    rest = [node]
    while rest:
        child = rest.pop()
        if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
            yield child.id
        rest += [inner for inner in ast.iter_child_nodes(child) if not isinstance(inner, scopes)]


def _is_written_out(value: ast.expr) -> bool:
    try:
        return isinstance(ast.literal_eval(value), Value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
