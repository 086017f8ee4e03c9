"""The environment of the peers that no line of the project comes near: scripts/test and scripts/bench make it."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = Path(os.environ.get("IEC62056_CACHE", ROOT / ".cache")) / "peers/venv/bin/python"

needs_peers = pytest.mark.skipif(not PYTHON.exists(), reason="the peers are not installed")
