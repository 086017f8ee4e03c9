"""Print what Home Assistant's own integrations need beside Home Assistant itself, for the demo's environment."""

import json
from pathlib import Path

from homeassistant import bootstrap, components

# What the demo's configuration and the component ask for, and what the core imports without saying so.
WANTED = ("config", "energy", "history", "isal", "logbook", "recorder", "stream", "usb")


def requirements() -> list[str]:
    """The requirements of WANTED, of what Home Assistant starts unasked, and of all these depend on."""
    home = Path(components.__path__[0])
    found: set[str] = set()
    seen: set[str] = set()
    waiting = [*WANTED, *bootstrap.DEFAULT_INTEGRATIONS]
    while waiting:
        domain = waiting.pop()
        if domain in seen:
            continue
        seen.add(domain)
        manifest = json.loads((home / domain / "manifest.json").read_text("utf-8"))
        found.update(manifest.get("requirements", ()))
        waiting += manifest.get("dependencies", [])
        waiting += manifest.get("after_dependencies", [])
    return sorted(found)


if __name__ == "__main__":
    print("\n".join(requirements()))
