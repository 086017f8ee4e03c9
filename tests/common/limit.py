"""The end of a test that takes too long: its name, where each task in it waits, and all that was written meanwhile.

An exception from a signal is lost in a busy event loop, and a thread may wait for ever: so the process ends. What it
started ends with it.
"""

import asyncio
import faulthandler
import gc
import os
from pathlib import Path
import signal
import sys
import threading
from typing import Any

import pytest

LONG = 1800.0  # seconds for a test that makes a whole figure


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the long tests their time."""
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.timeout(LONG))


def pytest_timeout_set_timer(item: pytest.Item, settings: Any) -> bool:
    """In place of the plugin's own timers."""
    timer = threading.Timer(settings.timeout, _end, (item, settings.timeout))
    timer.daemon = True
    timer.start()
    vars(item)["cancel_timeout"] = timer.cancel
    return True


def _end(item: pytest.Item, seconds: float) -> None:
    captured = item.config.pluginmanager.getplugin("capturemanager")
    captured.suspend_global_capture(in_=True)
    print(f"\n{item.nodeid} did not end within {seconds:.0f} s", file=sys.stderr)
    print(*captured.read_global_capture(), file=sys.stderr)
    for one in gc.get_objects():
        if isinstance(one, asyncio.Task) and not one.done():
            one.print_stack(file=sys.stderr)
    faulthandler.dump_traceback()
    sys.stderr.flush()
    for children in Path("/proc/self/task").glob("*/children"):
        for child in children.read_text("ascii").split():
            os.kill(int(child), signal.SIGKILL)
    os._exit(1)
