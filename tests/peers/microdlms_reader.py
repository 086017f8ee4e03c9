"""A process and an environment of its own: microdlms reads objects of a meter behind a TCP port, and prints what it got.

    python tests/peers/microdlms_reader.py PORT CLIENT PASSWORD CLASS/CODE...

Its library is no part of the project, and is used here only to check the simulator. A password of no characters is none.
"""

import asyncio
import json
import sys

from microdlms.client import AsyncMeterClient
from microdlms.exceptions import DataAccessError
from microdlms.obis import CosemAttribute, ObisCode


async def read() -> dict[str, str]:
    """The value of each object, or why there is none."""
    port, client, password, *names = sys.argv[1:]
    found = {}
    meter = AsyncMeterClient(
        f"socket://127.0.0.1:{port}",
        password=password or None,
        client_logical_address=int(client),
        server_logical_address=1,
        timeout=20,
    )
    async with meter:
        for name in names:
            class_id, _, code = name.partition("/")
            try:
                value = await meter.get(
                    CosemAttribute(int(class_id), ObisCode.from_string(code), 2)
                )
            except DataAccessError as err:
                value = err.error_code.name
            found[code] = value.hex() if isinstance(value, bytes) else str(value)
    return found


if __name__ == "__main__":
    print(json.dumps(asyncio.run(read())))
