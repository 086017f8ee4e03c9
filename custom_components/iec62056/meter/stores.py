"""A store that knows whether its last content is on disk: Home Assistant's own only logs that it is not."""

from typing import Any, override

from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.storage import Store

# What a damaged file, or one of another origin or version, may raise where it is read.
UNREADABLE = (
    HomeAssistantError,
    NotImplementedError,
    ArithmeticError,
    AttributeError,
    KeyError,
    TypeError,
    ValueError,
)


class CheckedStore[T: dict[str, Any]](Store[T]):
    """A file of stored values."""

    is_written = False

    @override
    async def _async_write_data(self, data: dict[str, Any]) -> None:
        self.is_written = False
        await super()._async_write_data(data)
        self.is_written = True

    async def async_write(self, content: T) -> bool:
        """Write now. False where the disk has refused it, or Home Assistant is stopping and writes it last."""
        self.is_written = False
        await self.async_save(content)
        return self.is_written
