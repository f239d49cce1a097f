"""A peer that cannot be measured says why, and leaves nothing half-installed."""

import sys
from pathlib import Path

import pytest

from benchmarks import peers
from benchmarks.peers import PeerError, Simulator


@pytest.mark.slow
def test_a_peer_that_does_not_install_says_why_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "FOLDER", tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(PeerError, match=r"does not install: Could not find a version .* nowhere-to-be-found"):
        peers.installed(Simulator("CarRacing-v3", ("nowhere-to-be-found",)))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import sys; sys.exit('no screen')", "no screen"),
        ("raise SystemExit(3)", "it says nothing"),
        ("import time; time.sleep(60)", "took more than 1 s"),
    ],
)
def test_a_peer_that_does_not_run_says_why(code: str, reason: str) -> None:
    with pytest.raises(PeerError, match=reason):
        peers._run([sys.executable, "-c", code], 1.0)
