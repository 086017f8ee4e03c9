"""The options about what lies beyond the readout: all of it is tried at the meter before it is kept."""

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, override
from unittest.mock import patch

from homeassistant.config_entries import SOURCE_USER
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers.translation import async_load_integrations
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.iec62056 import logbook
from custom_components.iec62056.const import DOMAIN
from custom_components.iec62056.meter.reader import MeterReader
from custom_components.iec62056.protocol.register_session import WriteOutcome
from simulator import Kind, Manners, Meter

from ..common.bench import START
from ..common.dialogue import through
from ..common.flow_texts import all_checked
from ..common.leap import leaping
from ..common.programmed import SECRET, URL, WRONG, Registers, entry_of, meter, proofs, wire


async def page(hass: HomeAssistant, entry: MockConfigEntry, group: str) -> Any:
    options = hass.config_entries.options
    shown = await options.async_init(entry.entry_id)
    for step in ("access", group):
        shown = await options.async_configure(shown["flow_id"], {"next_step_id": step})
    assert (shown["type"], shown["step_id"]) == (FlowResultType.FORM, group)
    return shown


async def send(hass: HomeAssistant, shown: Any, **entered: Any) -> Any:
    options = hass.config_entries.options
    return await through(options, await options.async_configure(shown["flow_id"], entered))


async def load(hass: HomeAssistant, **more: Any) -> MockConfigEntry:
    entry = entry_of(hass, **more)
    assert await hass.config_entries.async_setup(entry.entry_id)
    return entry


async def test_password_is_tried_before_it_is_kept(hass: HomeAssistant) -> None:
    with leaping(START), all_checked():
        async with wire(hass, meter()) as (memory, sent):
            entry = await load(hass)
            shown = await page(hass, entry, "password")
            shown = await send(hass, shown, password="a(b)", login="auto")
            assert shown["errors"] == {"base": "failed"}
            assert not proofs(sent)
            shown = await send(hass, shown, password=WRONG, login="auto")
            assert "refused" in shown["description_placeholders"]["reason"]
            assert WRONG not in str(shown["data_schema"].schema)
            assert "password" not in entry.data
            done = await send(hass, shown, password=SECRET, login="auto")
            assert done["type"] is FlowResultType.CREATE_ENTRY
            assert entry.data["password"] == SECRET
            assert len(proofs(sent)) == 2
            assert len(memory.log.of(Kind.LOGGED_IN)) == 1


async def test_empty_password_keeps_the_stored_one_and_it_can_be_forgotten(
    hass: HomeAssistant,
) -> None:
    with leaping(START), all_checked():
        async with wire(hass, meter()) as (_, sent):
            entry = await load(hass, data={"password": SECRET})
            shown = await page(hass, entry, "password")
            assert SECRET not in repr(shown["data_schema"].schema) + repr(shown)
            await send(hass, shown, login="auto", forget=False)
            assert entry.data["password"] == SECRET
            shown = await page(hass, entry, "password")
            await send(hass, shown, login="plain", forget=False)
            assert (entry.data["password"], entry.data["login"]) == (SECRET, "plain")
            assert len(proofs(sent)) == 1
            shown = await page(hass, entry, "password")
            await send(hass, shown, login="auto", forget=True)
            assert "password" not in entry.data
            assert "login" not in entry.data


async def test_registers_are_shown_before_they_are_kept(hass: HomeAssistant) -> None:
    with leaping(START), all_checked():
        async with wire(hass, meter()) as (memory, _):
            entry = await load(hass)
            shown = await page(hass, entry, "extra")
            shown = await send(hass, shown, extra=["32.7.0", "9.9.9", "0.4.2"])
            assert shown["step_id"] == "extra_answers"
            (selector,) = shown["data_schema"].schema.values()
            labels = {one["value"]: one["label"] for one in selector.config["options"]}
            assert labels["32.7.0"].startswith("32.7.0 · 230.1")
            assert "no register" in labels["9.9.9"]
            assert "password" in labels["0.4.2"]
            assert shown["data_schema"]({})["extra"] == ["32.7.0"]
            await send(hass, shown, extra=["32.7.0"])
            await hass.async_block_till_done()
            assert entry.options["extra"] == ["32.7.0"]
            # What is there already is not asked for again, and can be taken out.
            opened = memory.opened
            shown = await page(hass, entry, "extra")
            await send(hass, shown, extra=[])
            assert "extra" not in entry.options
            assert memory.opened - opened <= 1


async def test_registers_of_a_silent_meter(hass: HomeAssistant) -> None:
    one = meter()
    with leaping(START), all_checked():
        async with wire(hass, one):
            entry = await load(hass)
            one.faults.ignore = set(range(1, 1000))
            shown = await send(hass, await page(hass, entry, "extra"), extra=["32.7.0"])
            assert "did not answer" in shown["description_placeholders"]["reason"]
            shown = await send(
                hass, await page(hass, entry, "fast_polling"), quick=[], quick_seconds=5
            )
            assert shown["type"] is FlowResultType.CREATE_ENTRY


async def test_quick_registers(hass: HomeAssistant) -> None:
    with leaping(START), all_checked():
        async with wire(hass, meter()):
            entry = await load(hass, options={"extra": ["32.7.0"]})
            shown = await page(hass, entry, "fast_polling")
            shown = await send(hass, shown, quick=["16.7.0", "32.7.0"], quick_seconds=10)
            # 200 ms on both sides for each, and the characters: as it was measured.
            assert shown["step_id"] == "fast_polling_tried"
            took = shown["description_placeholders"]["took"]
            assert 0.8 <= float(took.removesuffix("\N{NO-BREAK SPACE}s")) < 1.0
            assert "quick" not in entry.options
            await send(hass, shown)
            assert entry.options["quick"] == ["16.7.0", "32.7.0"]
            assert entry.options["quick_seconds"] == 10
            assert "quick_request" not in entry.options


@pytest.mark.parametrize(
    ("group", "entered"),
    [
        ("password", {"password": SECRET, "login": "auto"}),
        ("extra", {"extra": ["32.7.0"]}),
        ("fast_polling", {"quick": ["16.7.0"], "quick_seconds": 5}),
    ],
)
async def test_page_shows_that_the_meter_is_asked_and_stops_when_it_is_closed(
    hass: HomeAssistant, group: str, entered: dict[str, Any]
) -> None:
    options = hass.config_entries.options
    with leaping(START), all_checked():
        async with wire(hass, meter()) as (_, sent):
            entry = await load(hass)
            shown = await page(hass, entry, group)
            before, called = dict(entry.data), asyncio.Event()
            sent.looked_at_by = lambda _: called.set()
            shown = await options.async_configure(shown["flow_id"], entered)
            assert (shown["type"], shown["step_id"]) == (FlowResultType.SHOW_PROGRESS, "asking")
            speed = str(entry.runtime_data.coordinator.data.health.speed)
            assert shown["description_placeholders"] == {"speed": speed}
            await called.wait()
            # Who opens the page a second time sees the same.
            again = await options.async_configure(shown["flow_id"])
            assert (again["type"], again["step_id"]) == (FlowResultType.SHOW_PROGRESS, "asking")
            options.async_abort(shown["flow_id"])
            async with entry.runtime_data.coordinator.reader.hold_line():
                assert not [one for one in sent if one[:2] in (b"\x01R", b"\x01P")]
            await asyncio.sleep(30)
            assert not [one for one in sent if one[:2] in (b"\x01R", b"\x01P")]
            assert entry.data == before
            assert not {"extra", "quick"} & entry.options.keys()


async def test_page_of_a_battery_that_is_to_be_left_alone(hass: HomeAssistant) -> None:
    with leaping(START), all_checked():
        async with wire(hass, meter()):
            entry = await load(hass)
            shown = await page(hass, entry, "extra")
            spent = ServiceValidationError(
                translation_domain=DOMAIN,
                translation_key="budget_spent",
                translation_placeholders={"hours": "9"},
            )
            with patch.object(MeterReader, "session", side_effect=spent):
                shown = await send(hass, shown, extra=["32.7.0"])
            assert shown["errors"] == {"base": "failed"}
            assert "due in 9 h" in shown["description_placeholders"]["reason"]


class Lists(Meter):
    """A meter without programming mode that has a short list behind another request."""

    @override
    def _answers(self, request: str) -> bool:
        self.content.short = request.startswith("2")  # type: ignore[attr-defined]
        return super()._answers(request)


class Short(Registers):
    short = False

    @override
    def block(self) -> bytes:
        block = super().block()
        return b"16.7.0(00.777*kW)\r\n" if self.short else block


async def test_quick_registers_of_a_meter_with_a_short_list(hass: HomeAssistant) -> None:
    one = Lists(Short(), Manners(flag="LGZ", model="P1", queries=("?", "2")))
    with leaping(START), all_checked():
        async with wire(hass, one) as (_, sent):
            entry = await load(hass)
            shown = await page(hass, entry, "fast_polling")
            shown = await send(hass, shown, quick=["16.7.0"], quick_seconds=5)
            assert shown["step_id"] == "fast_polling_tried"
            await send(hass, shown)
            assert entry.options["quick_request"] == "2"
            await hass.async_block_till_done()
            await entry.runtime_data.coordinator.async_refresh()
            begun = len(sent)
            await asyncio.sleep(30)
            assert sum(one.startswith(b"/2!") for one in sent[begun:]) >= 3
            known = entry.runtime_data.coordinator.data.registers["1-0:16.7.0"].register
            assert known.values[0].text == "00.777"
            assert entry.runtime_data.coordinator.reader.line_profile.request == "?"


async def test_quick_registers_where_there_is_no_way(hass: HomeAssistant) -> None:
    one = Meter(Registers(), Manners(flag="LGZ", model="P1"))
    with leaping(START), all_checked():
        async with wire(hass, one):
            entry = await load(hass)
            shown = await send(
                hass, await page(hass, entry, "fast_polling"), quick=["16.7.0"], quick_seconds=5
            )
            assert shown["errors"] == {"base": "failed"}
            assert "quick" not in entry.options


async def test_changes_are_off_until_they_are_allowed(hass: HomeAssistant) -> None:
    with leaping(START), all_checked():
        async with wire(hass, meter()):
            entry = await load(hass)
            shown = await page(hass, entry, "changes")
            assert shown["data_schema"]({}) == {"set_clock": False, "automations": False}
            shown = await send(
                hass, shown, write=["a(b", "C.1.9"], set_clock=False, automations=False
            )
            assert shown["errors"] == {"write": "bad_code"}
            await send(hass, shown, write=["C.1.9"], set_clock=True, automations=False)
            assert {"write": ["C.1.9"], "set_clock": True}.items() <= entry.options.items()
            assert "automations" not in entry.options


@pytest.mark.parametrize(
    ("language", "says"),
    [
        (
            "en",
            (
                "writing C.1.9: confirmed",
                "executing 0.1.0: refused by the meter",
                "setting the clock: confirmed",
            ),
        ),
        (
            "de",
            (
                "C.1.9 schreiben: bestätigt",
                "0.1.0 ausführen: vom Zähler verweigert",
                "Uhr stellen: bestätigt",
            ),
        ),
    ],
)
async def test_logbook_says_what_was_changed(
    hass: HomeAssistant, language: str, says: tuple[str, ...]
) -> None:
    hass.config.language = language
    await async_load_integrations(hass, {DOMAIN})
    told: dict[tuple[str, str], Any] = {}
    logbook.async_describe_events(
        hass, lambda domain, event, describe: told.update({(domain, event): describe})
    )
    describe = told[DOMAIN, "iec62056_changed"]
    done = (
        ("write_register", "C.1.9", "confirmed"),
        ("execute", "0.1.0", "refused"),
        ("set_clock", "0.9.1", "confirmed"),
    )
    for (action, code, result), text in zip(done, says, strict=True):
        event = SimpleNamespace(
            data={"action": action, "code": code, "meter": "Cellar", "result": result}
        )
        assert describe(event) == {"name": "Cellar", "message": text}


def test_logbook_has_a_word_for_all_that_can_become_of_a_change() -> None:
    english = Path(logbook.__file__).parent / "translations" / "en.json"
    words = json.loads(english.read_text(encoding="utf-8"))["selector"]["outcome"]["options"]
    # Where nothing was sent, nothing is told.
    assert set(words) == set(WriteOutcome) - {WriteOutcome.NOT_SENT}


def test_logbook_works_while_a_language_is_loaded(hass: HomeAssistant) -> None:
    hass.config.language = "tlh"
    told: dict[tuple[str, str], Any] = {}
    logbook.async_describe_events(
        hass, lambda domain, event, describe: told.update({(domain, event): describe})
    )
    event = SimpleNamespace(
        data={"action": "execute", "code": "0.1.0", "meter": "Cellar", "result": "unknown"}
    )
    said = told[DOMAIN, "iec62056_changed"](event)
    assert said["message"] == "execute: unknown"


async def test_password_in_the_first_dialogue(hass: HomeAssistant) -> None:
    """One that cannot be sent is not taken; it is never shown again, and not tried before it is needed."""
    flow = hass.config_entries.flow
    with leaping(START), all_checked():
        async with wire(hass, meter()) as (_, sent):
            shown: Any = await flow.async_init(DOMAIN, context={"source": SOURCE_USER})
            shown = await flow.async_configure(
                shown["flow_id"], {"device": URL, "advanced": {"password": "a(b)"}}
            )
            assert shown["errors"] == {"base": "bad_secret_characters"}
            assert "a(b)" not in repr(shown["data_schema"].schema)
            assert not sent
            shown = await flow.async_configure(
                shown["flow_id"], {"device": URL, "advanced": {"password": SECRET}}
            )
            shown = await through(flow, shown)
            done = await flow.async_configure(shown["flow_id"], {})
            assert done["type"] is FlowResultType.CREATE_ENTRY, done
            await hass.async_block_till_done()
            assert done["result"].data["password"] == SECRET
            assert not proofs(sent)
