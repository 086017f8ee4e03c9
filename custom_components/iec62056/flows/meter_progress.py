"""Progress page shown while a flow asks the meter something."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from homeassistant.config_entries import ConfigEntryBaseFlow, ConfigFlowResult
from homeassistant.exceptions import HomeAssistantError

from ..const import DOMAIN
from ..coordinator import MeterCoordinator
from ..protocol.errors import MeterError

type Failure = MeterError | HomeAssistantError


class AskingFlow(ConfigEntryBaseFlow):
    """Ask in the background, and go on with the answer or with the failure."""

    _asked: asyncio.Task[Any]
    _asked_at: int
    _answered: Callable[[Any], Awaitable[ConfigFlowResult]]
    _unanswered: Callable[[Failure], Awaitable[ConfigFlowResult]]

    async def _ask[T](
        self,
        coordinator: MeterCoordinator,
        asked: Coroutine[Any, Any, T],
        answered: Callable[[T], Awaitable[ConfigFlowResult]],
        unanswered: Callable[[Failure], Awaitable[ConfigFlowResult]],
    ) -> ConfigFlowResult:
        """Begin; one of the two makes the next page."""
        state = coordinator.data
        self._asked_at = state.profile.speed or state.health.speed
        self._asked = self.hass.async_create_background_task(
            asked, f"{DOMAIN} question of the dialogue"
        )
        self._answered, self._unanswered = answered, unanswered
        return self._show_asking()

    async def async_step_asking(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Show that the meter is asked, until it is done."""
        if not self._asked.done():
            return self._show_asking()
        return self.async_show_progress_done(next_step_id="answered")

    async def async_step_answered(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Go on with what became of it."""
        try:
            answer = self._asked.result()
        except (MeterError, HomeAssistantError) as err:
            return await self._unanswered(err)
        return await self._answered(answer)

    def _show_asking(self) -> ConfigFlowResult:
        return self.async_show_progress(
            step_id="asking",
            progress_action="asking",
            description_placeholders={"speed": str(self._asked_at)},
            progress_task=self._asked,
        )
