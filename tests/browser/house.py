"""A house for the user to walk through: simulated meters, Home Assistant, a browser that is logged in."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
import secrets
import shutil

from playwright.async_api import async_playwright

from demo.home import Home
from demo.processes import Program
from demo.start import USER, start_home, start_meter

from .person import Person

ROOT = Path(__file__).parents[2]
# The newest Home Assistant; the tests themselves run where the test tools are.
PYTHON = ROOT / ".venv-demo/bin/python"
PORTS = Path(__file__).with_name("components") / "simulated_ports"
WIDTH, HEIGHT = 1280, 900
SEEN = ROOT / ".cache" / "browser"
PATIENCE = 60_000  # milliseconds that a page may take on a busy machine


@dataclass(frozen=True, slots=True)
class House:
    """What runs, and who looks at it."""

    home: Home
    person: Person
    program: Program
    ports: Mapping[str, str]


async def keep(it: House, name: str) -> None:
    """Keep what the browser shows and Home Assistant has said: of a step that failed, they tell most."""
    SEEN.mkdir(parents=True, exist_ok=True)
    (SEEN / f"{name}.log").write_text("\n".join(it.program.words()), "utf-8")
    (SEEN / f"{name}.png").write_bytes(await it.person.picture())


@asynccontextmanager
async def house(folder: Path, meters: Mapping[str, Sequence[str]]) -> AsyncGenerator[House]:
    """A house with these meters: name → options of the simulator. Local ones are in Home Assistant's list of ports."""
    async with AsyncExitStack() as stack:
        ports = {
            name: (await start_meter(stack, folder, name, *options))[1]
            for name, options in meters.items()
        }
        listed = "".join(f"  {port}: {name}\n" for name, port in ports.items() if "://" not in port)
        password = secrets.token_urlsafe(9)
        program, home = await start_home(
            stack,
            folder,
            password,
            python=PYTHON,
            others={PORTS: f"{PORTS.name}:\n{listed}"},
            port=0,
        )
        playwright = await stack.enter_async_context(async_playwright())
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"))
        stack.push_async_callback(browser.close)
        context = await browser.new_context(
            viewport={"width": WIDTH, "height": HEIGHT}, locale="en-GB", reduced_motion="reduce"
        )
        context.set_default_timeout(PATIENCE)
        person = Person(await context.new_page(), home.address)
        await person.log_in(USER, password)
        yield House(home, person, program, ports)
