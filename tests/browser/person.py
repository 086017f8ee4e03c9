"""What the user does in Home Assistant's frontend, as clicks on what can be seen there."""

import re

from playwright.async_api import Locator, Page, expect

INTEGRATION = "IEC 62056-21 Meter"
DOMAIN = "iec62056"


class Person:
    """Somebody in front of a browser."""

    def __init__(self, page: Page, address: str) -> None:
        """Sit down before this page; Home Assistant is at this address."""
        self.page = page
        self._address = address
        self.clicks = 0

    @property
    def dialogue(self) -> Locator:
        """The dialogue of an integration: adding, options, another port."""
        return self.page.locator("dialog-data-entry-flow")

    async def click(self, what: Locator) -> None:
        """Click, and count it."""
        await what.click()
        self.clicks += 1

    async def go(self, path: str) -> None:
        """Open a page of Home Assistant by its address."""
        await self.page.goto(f"{self._address}/{path}")

    async def log_in(self, user: str, password: str) -> None:
        """Log in on the page that asks for it."""
        await self.go("")
        await self.page.locator("input[name=username]").fill(user)
        await self.page.locator("input[name=password]").fill(password)
        await self.page.get_by_role("button", name="Log in").click()
        await self.page.locator("home-assistant-main").wait_for()

    async def begin_to_add(self) -> None:
        """Look for the integration in the list of all, and begin its dialogue."""
        await self.go("config/integrations/dashboard")
        await self.click(self.page.get_by_text("Add integration"))
        brands = self.page.locator("dialog-add-integration")
        await brands.locator("input").first.fill("62056")
        await self.click(brands.get_by_text(INTEGRATION))
        await self.dialogue.locator("step-flow-form").wait_for()

    async def open_ports(self) -> Locator:
        """Open the list of ports that Home Assistant knows."""
        # Until it has them, a mere field for text stands there.
        await self.click(self.dialogue.locator("ha-selector-serial_port ha-generic-picker"))
        return self.page.locator("ha-picker-combo-box")

    async def pick_port(self, name: str) -> None:
        """Choose a port out of the list."""
        listed = await self.open_ports()
        # What its adapter says of itself stands behind the name.
        await self.click(listed.get_by_text(re.compile(f"^{name}")))

    async def type_port(self, url: str) -> None:
        """Type the address of a bridge, which no list can know."""
        listed = await self.open_ports()
        # It stands at the end of the list, of which only what can be seen is there.
        await listed.hover()
        await self.page.mouse.wheel(0, 10_000)
        await self.click(listed.get_by_text("Enter manually"))
        field = self.dialogue.locator("ha-selector-serial_port input")
        # The frontend empties it, and with it what was typed too early.
        await expect(field).to_have_value("", timeout=10_000)
        await field.fill(url)

    async def tick(self, register: str) -> None:
        """Tick a register of the meter, or take its tick away, by its code."""
        await self.click(self.dialogue.get_by_text(f" · {register} · "))

    async def submit(self, button: str = "Submit") -> None:
        """Press the dialogue's button."""
        await self.click(
            self.dialogue.locator("ha-dialog-footer").get_by_role("button", name=button)
        )

    async def leave(self, button: str) -> None:
        """Press the dialogue's last button, and wait until it is gone."""
        await self.submit(button)
        await self._gone(self.dialogue.locator("ha-dialog"))

    async def _gone(self, dialogue: Locator) -> None:
        await dialogue.wait_for(state="hidden")
        # The frontend then goes one page back by itself, and would do so from the next page too.
        await self.page.wait_for_function("!history.state?.dialog")

    async def from_menu(self, title: str, item: str) -> None:
        """Choose something from the menu of the meter's entry."""
        await self.go(f"config/integrations/integration/{DOMAIN}")
        entry = self.page.locator("ha-config-entry-row").filter(has_text=title)
        await self.click(entry.locator("ha-dropdown").first)
        await self.click(entry.locator("ha-dropdown-item").filter(has_text=item).first)

    async def open_options(self, title: str, group: str) -> None:
        """Open one group of the meter's options."""
        await self.go(f"config/integrations/integration/{DOMAIN}")
        entry = self.page.locator("ha-config-entry-row").filter(has_text=title)
        await self.click(entry.get_by_role("button", name="Configure"))
        await self.click(self.dialogue.get_by_text(group))
        await self.dialogue.locator("step-flow-form").wait_for()

    async def open_meter(self, title: str) -> None:
        """Open the page of the meter's device."""
        await self.go(f"config/integrations/integration/{DOMAIN}")
        row = self.page.locator("ha-config-entry-device-row").filter(has_text=title)
        await self.click(row)
        await self.page.wait_for_url(re.compile(r"/config/devices/device/"))

    async def choose_for_energy(self, kind: str, button: str, meter: str, *sensors: str) -> Locator:
        """Fill in the Energy dashboard's form, with these sensors of one meter in its order; the form that is open."""
        await self.go(f"config/energy/{kind}")
        await self.click(self.page.get_by_text(button))
        form = self.page.locator("ha-dialog[open]")
        for place, sensor in enumerate(sensors):
            await self.click(form.locator("ha-statistic-picker").nth(place))
            found = self.page.locator("ha-picker-combo-box")
            await found.locator("input").fill(sensor)
            of_meter = found.locator("ha-combo-box-item").filter(has_text=meter)
            name = re.compile(rf"^\s*{re.escape(sensor)}\s*$")
            await self.click(of_meter.locator("[slot=headline]").filter(has_text=name))
        return form

    async def fill_energy(self, kind: str, button: str, meter: str, *sensors: str) -> None:
        """Add a source to the Energy dashboard."""
        await self.save(await self.choose_for_energy(kind, button, meter, *sensors))

    async def save(self, form: Locator) -> None:
        """Save a form of the Energy dashboard."""
        await self.click(form.get_by_role("button", name="Save"))
        await self._gone(form)

    async def picture(self, of: Locator | None = None) -> bytes:
        """What is to be seen: of one thing, or of the whole page."""
        box = await of.bounding_box() if of else None
        return await self.page.screenshot(clip=box)
