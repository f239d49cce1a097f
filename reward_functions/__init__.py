"""Examples to start from: one folder each, holding the files that a DeepRacer user has.

A folder is a model directory for ``racer train``: its ``reward_function.py`` is to be copied and changed. The
examples use the standard library and numpy only, as AWS's own validator would allow.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

#: Name of an example -> its folder.
EXAMPLES: Mapping[str, Path] = {
    file.parent.name: file.parent for file in sorted(Path(__file__).parent.glob("*/reward_function.py"))
}

__all__ = ["EXAMPLES"]
