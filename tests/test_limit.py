"""A test that hangs is named, with the line in which it waits, and leaves nothing running."""

import os
from pathlib import Path
import subprocess
import sys

ROOT = Path(__file__).parents[1]
HOOKS = "from tests.common.limit import pytest_timeout_set_timer\n"
# So busy that an exception out of a signal would most likely be lost in the loop.
HANGING = """
import asyncio, subprocess, sys

async def turn():
    while True:
        await asyncio.sleep(0)

def test_hangs():
    child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    print("child", child.pid, "of it")
    asyncio.run(turn())
"""


def test_a_test_that_hangs_is_named(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(HOOKS, "utf-8")
    (tmp_path / "test_one.py").write_text(HANGING, "utf-8")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "pytest_timeout"),
            *("-c", os.devnull, "--timeout", "1", str(tmp_path)),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert "test_one.py::test_hangs did not end within 1 s" in done.stderr
    assert "in turn" in done.stderr
    child = done.stderr.partition("child ")[2].partition(" of it")[0]
    status = Path("/proc", child, "status")
    # Whoever inherited it may not have looked yet.
    assert not status.exists() or "zombie" in status.read_text("ascii")
