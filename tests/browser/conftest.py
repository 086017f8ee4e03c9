"""One house for all tests, with a meter for each that needs one nobody has added yet."""

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from demo import meter

from ..common.limit import pytest_timeout_set_timer
from .house import House, house, keep

__all__ = ["pytest_timeout_set_timer"]

METERS = {
    "New meter": ("--scenario", "household"),
    "Heat meter": ("--scenario", "heat"),
    # One meter, reached in two ways. The one behind the bridge starts first: no register of it is ever behind.
    "Bridge": ("--rfc2217", "127.0.0.1:0", "--address", "20054321", "--ident", "/LGZ5HOUSE-02"),
    "Old meter": ("--address", "20054321", "--ident", "/LGZ5HOUSE-02"),
}
OLD_METER = "Landis+Gyr HOUSE-02"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def the_house(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[House]:
    """The house, as the tests before have left it."""
    async with house(tmp_path_factory.mktemp("house"), METERS) as it:
        yield it


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def old_meter(the_house: House) -> str:
    """The id of a meter's entry that was added long ago."""
    return await meter.add(the_house.home, the_house.ports["Old meter"], lambda _: None)


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def _seen(request: pytest.FixtureRequest, the_house: House) -> AsyncGenerator[None]:
    yield
    await keep(the_house, request.node.name)
