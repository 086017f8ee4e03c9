"""Runs tests in the newest Home Assistant, which the test plugin does not know yet: `scripts/test --newest`."""

from pathlib import Path
import sys

ROOT = Path(__file__).parents[1]
(TOOLS,) = ROOT.glob(".venv/lib/python3.*/site-packages")


def main(arguments: list[str]) -> int:
    """Run pytest with these arguments."""
    sys.path.insert(0, str(ROOT))
    sys.path.append(str(TOOLS))
    # Home Assistant takes the place of httpx, which must happen before anybody else imports that.
    from homeassistant.components import logger
    from homeassistant.components.logger import helpers

    # The plugin looks for it where it was before.
    vars(logger)["_clear_logger_overwrites"] = helpers._clear_logger_overwrites
    import pytest

    # These two are there before pytest is.
    return pytest.main(["-W", "ignore::pytest.PytestAssertRewriteWarning", *arguments])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
