"""Secrets kept out of the debug log: the libraries below a line write every run of its bytes there."""

import logging

# Those that show bytes. A filter counts for its own logger alone, not for those below it.
_LOGGERS = (
    "serialx.descriptor_transport",
    "serialx.platforms.serial_rfc2217",
    "aioesphomeapi.connection",
    "aioesphomeapi._frame_helper.base",
)

_secret_on: set[int] = set()


def suppress_debug(line: object, *, secret: bool) -> None:
    """Tell what a line carries from now on: something secret, or nothing of the kind any more."""
    if secret:
        _secret_on.add(id(line))
    else:
        _secret_on.discard(id(line))
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        if _secret_on:
            logger.addFilter(_no_debug)
        else:
            logger.removeFilter(_no_debug)


def _no_debug(record: logging.LogRecord) -> bool:
    return record.levelno > logging.DEBUG
