"""Simulated meters and a Home Assistant, started from nothing: for the demo, the tests in a browser and the pictures."""

from collections.abc import Generator, Mapping
from contextlib import AsyncExitStack, contextmanager
import json
from pathlib import Path
import shutil
import socket
import sys
from types import MappingProxyType

from .home import Home, HomeError
from .processes import Ended, Program, running

COMPONENT = Path(__file__).parents[1] / "custom_components" / "iec62056"
USER = "demo"

CONFIGURATION = """\
homeassistant:
  name: IEC 62056-21 demo
  unit_system: metric
  country: DE
  currency: EUR
http:
  server_host: 127.0.0.1
  server_port: {port}
frontend:
config:
energy:
history:
logbook:
logger:
  default: warning
"""

# One step of the onboarding is taken as done: it would add a weather service and a radio, which the demo has no use for.
ONBOARDING = {
    "version": 4,
    "minor_version": 1,
    "key": "onboarding",
    "data": {"done": ["core_config"]},
}


def empty(folder: Path) -> None:
    """An empty folder, whatever was there."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def free_port(wanted: int) -> int:
    """The wanted port of this machine where it is free, else any free one."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise Ended("no free port on 127.0.0.1")


def write_configuration(folder: Path, port: int, components: Mapping[Path, str]) -> None:
    """A configuration folder with these custom components in it, each with what it wants to be configured with."""
    (folder / "custom_components").mkdir(parents=True)
    text = CONFIGURATION.format(port=port)
    for component, wanted in components.items():
        (folder / "custom_components" / component.name).symlink_to(component)
        text += wanted
    (folder / "configuration.yaml").write_text(text, "utf-8")
    (folder / ".storage").mkdir()
    (folder / ".storage" / "onboarding").write_text(json.dumps(ONBOARDING), "utf-8")


async def start_meter(
    stack: AsyncExitStack, folder: Path, name: str, *options: str
) -> tuple[Program, str]:
    """A simulated meter with these options, and the port it is on: a terminal in the folder where they name none."""
    if not {"--tcp", "--rfc2217"} & set(options):
        options = ("--pty", str(folder / name), *options)
    program = await stack.enter_async_context(
        running(
            f"The simulated meter ({name})",
            [sys.executable, "-m", "simulator", *options],
            folder / f"{name}.log",
        )
    )
    ready = "ready: "
    port = ""

    async def there() -> bool:
        nonlocal port
        port = next((line for line in program.words() if line.startswith(ready)), "")
        return bool(port)

    await program.until(there, 15)
    return program, port.removeprefix(ready)


async def start_home(
    stack: AsyncExitStack,
    folder: Path,
    password: str,
    *,
    python: str | Path = sys.executable,
    others: Mapping[Path, str] = MappingProxyType({}),
    port: int = 8123,
) -> tuple[Program, Home]:
    """Home Assistant of this Python with the component and these others, with an owner, on this machine only."""
    number = free_port(port)
    configuration = folder / "config"
    write_configuration(configuration, number, {COMPONENT: "", **others})
    # -P: or the components of this folder would win over those of the configuration.
    command = [str(python), "-P", "-m", "homeassistant", "--config", str(configuration)]
    program = await stack.enter_async_context(
        running("Home Assistant", [*command, "--skip-pip"], folder / "homeassistant.log")
    )
    home = await stack.enter_async_context(Home.session(f"http://127.0.0.1:{number}"))
    with last_words(program):
        await program.until(home.is_up, 120)
        await home.onboard(USER, password, "en")
        # Unless confirmed, Home Assistant takes the setting back after five minutes and listens to all networks.
        await home.command("http/config/promote")
        # The notice that this setting has moved out of the file is for people who keep theirs.
        notice = {"domain": "http", "issue_id": "deprecated_yaml", "ignore": True}
        await home.command("repairs/ignore_issue", **notice)
        await program.until(home.has_started, 60)
    return program, home


@contextmanager
def last_words(program: Program) -> Generator[None]:
    """Let whoever sees that Home Assistant said no see what it wrote last."""
    try:
        yield
    except HomeError as error:
        raise program.complaint(f"said no ({error})") from error
