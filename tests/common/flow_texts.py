"""Every page a dialogue shows has its texts, and what they speak of is given to them.

Without that, a person sees a bare key, or braces in the middle of a sentence.
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from functools import cache
import json
from pathlib import Path
from string import Formatter
from typing import Any
from unittest.mock import patch

from homeassistant.components.repairs import RepairsFlow
from homeassistant.config_entries import OptionsFlow
from homeassistant.data_entry_flow import FlowHandler, section
from homeassistant.helpers import issue_registry as ir

from custom_components.iec62056.const import DOMAIN

ENGLISH = Path(__file__).parents[2] / "custom_components" / DOMAIN / "translations" / "en.json"


@cache
def _english() -> dict[str, Any]:
    texts: dict[str, Any] = json.loads(ENGLISH.read_text(encoding="utf-8"))
    return texts


def _used(tree: Any) -> set[str]:
    """The placeholders of all texts of a branch."""
    if isinstance(tree, Mapping):
        return set().union(*map(_used, tree.values()))
    return {name for _, name, _, _ in Formatter().parse(tree) if name}


def _fields(texts: Mapping[str, Any], schema: Mapping[Any, Any]) -> None:
    for key, field in schema.items():
        if isinstance(field, section):
            part = texts["sections"][key.schema]
            assert part["name"]
            _fields(part, field.schema.schema)
        else:
            assert texts["data"][key.schema]
            assert texts["data_description"][key.schema]


def _texts(flow: Any) -> dict[str, Any]:
    texts: dict[str, Any] = _english()
    if isinstance(flow, RepairsFlow):
        issue = ir.async_get(flow.hass).async_get_issue(DOMAIN, flow.issue_id)
        assert issue is not None
        texts = texts["issues"][issue.translation_key]
        return texts["fix_flow"]  # type: ignore[no-any-return]
    return texts["options" if isinstance(flow, OptionsFlow) else "config"]  # type: ignore[no-any-return]


def check(flow: Any, shown: Mapping[str, Any]) -> None:
    """Whether what a flow shows can be read."""
    texts = _texts(flow)
    given = set(shown.get("description_placeholders") or {})
    match shown["type"]:
        case "form":
            step = texts["step"][shown["step_id"]]
            assert step["title"]
            schema = shown["data_schema"]
            fields = {} if schema is None else schema.schema
            _fields(step, fields)
            told = dict(step)
            names = {key.schema for key in fields}
            for part in ("data", "data_description"):
                # A field that is not asked now says nothing.
                told[part] = {k: v for k, v in step.get(part, {}).items() if k in names}
            assert _used(told) <= given, shown["step_id"]
            for error in (shown["errors"] or {}).values():
                assert _used(texts["error"][error]) <= given, error
        case "menu":
            step = texts["step"][shown["step_id"]]
            assert set(shown["menu_options"]) <= set(step["menu_options"])
            assert _used(step) <= given
        case "progress":
            assert _used(texts["progress"][shown["progress_action"]]) <= given
        case "abort" if shown.get("translation_domain") is None:
            assert _used(texts["abort"][shown["reason"]]) <= given


@contextmanager
def all_checked() -> Generator[None]:
    """Check all that our dialogues show meanwhile."""
    with (
        _checked("async_show_form"),
        _checked("async_show_menu"),
        _checked("async_show_progress"),
        _checked("async_abort"),
    ):
        yield


@contextmanager
def _checked(name: str) -> Generator[None]:
    real: Callable[..., Any] = getattr(FlowHandler, name)

    def show(flow: Any, **said: Any) -> Any:
        shown = real(flow, **said)
        if type(flow).__module__.startswith(f"custom_components.{DOMAIN}."):
            check(flow, shown)
        return shown

    with patch.object(FlowHandler, name, show):
        yield
