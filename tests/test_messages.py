"""What the user is told of a failure: whole sentences, in the language of the house."""

import ast
from collections.abc import Iterator
import json
from pathlib import Path

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers.translation import async_load_integrations
import pytest

from custom_components.iec62056.const import DOMAIN
from custom_components.iec62056.messages import async_message
from custom_components.iec62056.protocol.dlms_errors import AuthenticationRefused, DlmsMalformed
from custom_components.iec62056.protocol.errors import (
    BadSecret,
    ConnectionLost,
    MeterError,
    MeterRefused,
)
from custom_components.iec62056.protocol.reasons import Authentication, Secret, Unsent

from .common.errors import every_error

COMPONENT = Path(__file__).parents[1] / "custom_components" / DOMAIN
LANGUAGES = sorted((COMPONENT / "translations").glob("*.json"))


ERRORS = tuple(every_error())
REASONED = tuple(kind for kind in ERRORS if kind.reasons is not None)


@pytest.fixture
async def german(hass: HomeAssistant) -> HomeAssistant:
    hass.config.language = "de"
    await async_load_integrations(hass, {DOMAIN})
    return hass


def sentences(kind: type[MeterError]) -> dict[str, str]:
    """What an error says, by key: its own sentence, and the one for each of its reasons."""
    own = {kind.key: kind.text}
    return own | {kind(why=why).key: kind.text.format(why=why) for why in kind.reasons or ()}


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_english_is_what_the_client_says(kind: type[MeterError]) -> None:
    texts = json.loads((COMPONENT / "translations" / "en.json").read_text("utf-8"))
    for key, sentence in sentences(kind).items():
        assert texts["exceptions"][key]["message"] == sentence
        assert texts["config"]["error"][key] == sentence


def test_no_sentence_of_an_error_that_is_gone() -> None:
    texts = json.loads((COMPONENT / "translations" / "en.json").read_text("utf-8"))
    keys = {key for kind in ERRORS for key in sentences(kind)}
    shown = texts["exceptions"].keys() & texts["config"]["error"].keys()
    assert shown == keys


@pytest.mark.parametrize("path", LANGUAGES, ids=lambda path: path.stem)
def test_both_places_say_the_same(path: Path) -> None:
    texts = json.loads(path.read_text("utf-8"))
    for kind in ERRORS:
        for key in sentences(kind):
            assert texts["exceptions"][key]["message"] == texts["config"]["error"][key]


def test_the_key_is_the_name_of_the_class() -> None:
    assert ConnectionLost.key == ConnectionLost(port="x").key == "connection_lost"
    wrong = AuthenticationRefused(why=Authentication.LEVEL_NEEDED)
    assert wrong.key == "authentication_refused_level_needed"
    assert AuthenticationRefused.key == "authentication_refused"


def test_a_reason_of_another_error_is_a_detail() -> None:
    err = BadSecret(why=Unsent.DECIMALS)
    assert err.key == "bad_secret"
    assert BadSecret.key == "bad_secret"


def english(tree: ast.AST) -> Iterator[str]:
    """The errors that are raised with a text of their own in place of a reason."""
    names = {kind.__name__ for kind in REASONED}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
            for said in node.keywords:
                if said.arg == "why" and isinstance(said.value, ast.Constant):
                    yield node.func.id


def test_only_what_nobody_meets_is_english_in_every_language() -> None:
    found = {
        (path.relative_to(COMPONENT).as_posix(), name)
        for path in COMPONENT.rglob("*.py")
        for name in english(ast.parse(path.read_text("utf-8")))
    }
    # Requests that only a mistake of this client could make.
    assert {one for one in found if one[1] != "DlmsUnsent"} == {
        ("protocol/ascii/messages.py", "BadField"),
        ("protocol/dlms/dlms_session.py", "HdlcLost"),
        ("protocol/dlms/security.py", "CounterExhausted"),
    }


async def test_sentence_in_the_language_of_the_house(german: HomeAssistant) -> None:
    assert async_message(german, BadSecret(why=Secret.NOT_EIGHT)).startswith(
        "Dieses Passwort lässt sich bei dem Zähler nicht verwenden: es hat nicht acht Zeichen."
    )
    wrong = async_message(german, AuthenticationRefused(why=Authentication.WRONG))
    assert "das Passwort oder der Schlüssel ist falsch" in wrong
    # What a meter says is its own, whole as it can be, and without Markdown.
    said = async_message(german, MeterRefused(message="[ER](17)" + "x" * 100))
    assert "ER" in said
    assert not set("[]") & set(said)
    assert len(said) < 300
    detail = async_message(german, DlmsMalformed(why="it is cut short"))
    assert "nicht zu verstehen ist (it is cut short)." in detail


async def test_sentence_of_home_assistant(german: HomeAssistant) -> None:
    spent = ServiceValidationError(
        translation_domain=DOMAIN,
        translation_key="budget_spent",
        translation_placeholders={"hours": "7"},
    )
    assert "7 h" in async_message(german, spent)
    assert "Batterie" in async_message(german, spent)
    assert async_message(german, HomeAssistantError("no key at all")) == "no key at all"


async def test_sentence_before_the_texts_are_there(hass: HomeAssistant) -> None:
    hass.config.language = "pl"
    assert "broke" in async_message(hass, ConnectionLost(port="socket://a:1"))
