"""Config flow of the integration: Home Assistant looks for it here."""

from .flows.config import MeterConfigFlow

__all__ = ["MeterConfigFlow"]
