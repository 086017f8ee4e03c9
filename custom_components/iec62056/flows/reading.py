"""Steps of the config flow that read the meter once and show the progress."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final, override

from homeassistant.config_entries import SOURCE_RECONFIGURE, ConfigFlowResult
from homeassistant.const import CONF_DEVICE
from homeassistant.core import callback

from ..const import DOMAIN
from ..entry_data import hints_of, idle_of, line_profile_of, speed_of
from ..meter import connection
from ..meter.credentials import Credentials, async_keyring, credentials_of
from ..meter.intended_meter import IntendedMeter
from ..meter.login_manager import LoginOutcome, remember
from ..protocol.client import MeterClient
from ..protocol.discovery import discover
from ..protocol.dlms.login import Keyring
from ..protocol.dlms.object_cache import ObjectCache
from ..protocol.dlms_errors import HdlcSilent
from ..protocol.errors import LoginUnanswered, MeterError, NumberUnsteady
from ..protocol.model import LineProfile, Progress, Stage, Verdict
from ..state.meter_state import MeterState
from .alignment import PlaceFlow
from .forms import shown

# The page is redrawn as often as a reader can follow.
REDRAW_INTERVAL: Final = 0.5
# How long a telegram will be is not known: a usual one fills four fifths of the bar, its end the rest.
USUAL_CHARACTERS: Final = 2000
HOW_FULL: Final = 0.8


class ReadFlow(PlaceFlow):
    """Read the meter that the form leads to. `_shared` tells whether other meters are on its line."""

    # What the reading brought: all steps after it speak of this; and the one before it that it confirms, if any.
    _state: MeterState
    _before: tuple[MeterState, ...]

    def __init__(self) -> None:
        """Begin with nothing read."""
        super().__init__()
        self._shared = False
        # The way to the meter, where the user's answer has changed it.
        self._profile: LineProfile | None = None
        self._keyring: Keyring | None = None
        self._reading: asyncio.Task[MeterState] | None = None
        self._redraw: asyncio.Task[Any] | None = None
        self._changed = asyncio.Event()
        self._drawn = 0.0
        self._progress = Progress(Stage.OPENING)

    async def async_step_read(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Read the meter once, and show how far it has come."""
        begun = self._reading is None
        if self._reading is None:
            self._progress = Progress(Stage.OPENING)
            self._reading = self.hass.async_create_background_task(
                self._read(), f"{DOMAIN} reading for the dialogue"
            )
            self._reading.add_done_callback(lambda _: self._changed.set())
        # The end is shown only when Home Assistant comes back for it: at once, it would hand the form's input on to
        # the next step.
        if begun or not self._reading.done():
            if self._redraw is None or self._redraw.done():
                # A progress step is only drawn again when the task it waits for ends.
                self._changed.clear()
                self._redraw = self.hass.async_create_background_task(
                    self._changed.wait(), f"{DOMAIN} progress of the dialogue"
                )
            return self.async_show_progress(
                step_id="read",
                progress_action=_action(self._progress),
                description_placeholders={
                    "registers": str(self._progress.registers),
                    "speed": str(self._progress.speed),
                    "usual": shown(_usual(self._progress.speed)),
                },
                progress_task=self._redraw,
            )
        reading, self._reading = self._reading, None
        try:
            self._state = reading.result()
        except MeterError as err:
            return self._failed(err)
        self.async_update_progress(1)
        return self.async_show_progress_done(next_step_id="found")

    async def async_step_check_wrong(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask what to do with a meter whose check character is always wrong."""
        return self.async_show_menu(
            step_id="check_wrong", menu_options=["without_check", self._start]
        )

    async def async_step_without_check(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Read the meter again, and do without its check character."""
        self._profile, self._failure = self._without, None
        return await self.async_step_read()

    @property
    def _known_of_mode_e(self) -> ObjectCache | None:
        """What the meter said of its objects, None where it was read in another mode."""
        known = None if self._keyring is None else self._keyring.known
        return known if known is not None and known.lists else None

    @override
    @callback
    def async_remove(self) -> None:
        """Stop reading and calling when the dialogue is closed."""
        for task in (self._reading, self._call):
            if task is not None:
                task.cancel()

    async def _read(self) -> MeterState:
        self._before = ()
        device, speed = self._data[CONF_DEVICE], speed_of(self._data)
        given = self._profile or line_profile_of(self._data)
        async with connection.acquire_line(
            self.hass, device, speed, user=self.flow_id, idle=idle_of(given)
        ) as line:
            credentials = credentials_of(self._data)
            hints = hints_of(self._data, given, shared=self._shared)
            login = credentials.in_mode_e(given)
            if self._keyring is None or login not in self._keyring.logins:
                # One that was refused stays so while the dialogue is open: the same is not sent twice.
                self._keyring = await async_keyring(self.hass, credentials, given, ObjectCache())
            keyring = self._keyring
            # What a try before this one brought may be another meter's: the port may be another.
            keyring.known.forget()
            own = None
            if self.source == SOURCE_RECONFIGURE and self._get_reconfigure_entry().unique_id:
                # What the entry has stored is for its own meter.
                own = self._get_reconfigure_entry()
                keyring.intended = IntendedMeter.of(own)
            try:
                profile, reading = await discover(
                    line, replace(hints, keyring=keyring), self._watch
                )
            except MeterError as err:
                raise _refused(keyring) or err from None
            state = MeterState.of(reading, profile)
            if login is not None and (own is None or own.unique_id == state.identity.unique_id):
                self._note(credentials, state, keyring)
            if state.health.check is not Verdict.ABSENT:
                return state
            # Without a check character a damaged number would name another meter for ever, and no value counts alone.
            self._before = (state,)
            meter = MeterClient(line, profile, self._watch, keyring=keyring)
            again = MeterState.of(await meter.read_all(), meter.profile)
            if again.identity.unique_id != state.identity.unique_id:
                raise NumberUnsteady
            return again

    def _note(self, credentials: Credentials, state: MeterState, keyring: Keyring) -> None:
        """Remember what the meter has said of a login of mode E. Raises MeterError where it did not take it."""
        login = keyring.logins[-1]
        refusal = _refused(keyring)
        outcome = LoginOutcome.REFUSED
        if refusal is None:
            outcome = LoginOutcome.ACCEPTED if login in keyring.proven else LoginOutcome.UNANSWERED
        meter, secret = state.identity.unique_id, credentials.secret
        if meter is not None and secret is not None and login in keyring.tried:
            remember(self.hass, meter, secret, outcome)
        if outcome is not LoginOutcome.ACCEPTED:
            # Half the registers are not what was wanted: the user decides whether to do without.
            raise refusal or (LoginUnanswered() if login in keyring.tried else HdlcSilent())

    @callback
    def _watch(self, progress: Progress) -> None:
        """Draw the dialogue again at each step and stage, and now and then in between."""
        now = self.hass.loop.time()
        if _action(progress) == _action(self._progress) and now - self._drawn < REDRAW_INTERVAL:
            return
        self._drawn = now
        self._progress = progress
        self._changed.set()
        self.async_update_progress(1 - (1 - HOW_FULL) ** (progress.characters / USUAL_CHARACTERS))


def _refused(keyring: Keyring) -> MeterError | None:
    """Why the meter did not take a login, None where it took it."""
    return next(iter(keyring.refused.values()), None)


def _action(progress: Progress) -> str:
    """The text for a progress: which way to the meter is tried, and from the first data on how far they have come."""
    if (
        progress.step is None
        or progress.registers
        or progress.stage in (Stage.OPENING, Stage.READING)
    ):
        return progress.stage
    return f"step_{progress.step}"


def _usual(speed: int) -> timedelta:
    """How long a usual telegram takes at that speed in baud."""
    return timedelta(seconds=USUAL_CHARACTERS * 10 / speed)
