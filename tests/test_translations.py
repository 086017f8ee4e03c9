"""Translations: every text there in every language, with the same placeholders."""

import json
from pathlib import Path
from string import Formatter

import pytest

from custom_components.iec62056.sensors import derived, diagnostics

from .common.names import COMPONENT, translation_keys

LANGUAGES = sorted((COMPONENT / "translations").glob("*.json"))
# Sensors that are no register.
OTHERS = dict.fromkeys(
    (
        "last_reading",
        "signal",
        "held_values",
        "wake_ups",
        "load_profile_progress",
        *(
            description.translation_key or ""
            for description in (*derived.DESCRIPTIONS.values(), *diagnostics.DESCRIPTIONS)
        ),
    ),
    frozenset[str](),
)

type Texts = dict[tuple[str, ...], frozenset[str]]


def _load(path: Path) -> dict[str, object]:
    loaded = json.loads(path.read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def _placeholders(text: str) -> frozenset[str]:
    return frozenset(name for _, name, _, _ in Formatter().parse(text) if name is not None)


def _texts(tree: object, path: tuple[str, ...] = ()) -> Texts:
    if isinstance(tree, dict):
        found: Texts = {}
        for key, branch in tree.items():
            found |= _texts(branch, (*path, key))
        return found
    assert isinstance(tree, str)
    assert tree.strip() == tree != "", path
    return {path: _placeholders(tree)}


def _names(path: Path) -> dict[str, str]:
    return {
        key[2]: text
        for key, text in _flat(_load(path)).items()
        if key[:2] == ("entity", "sensor") and key[3:] == ("name",)
    }


def _flat(tree: object, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], str]:
    if isinstance(tree, str):
        return {path: tree}
    assert isinstance(tree, dict)
    return {
        key: text
        for name, branch in tree.items()
        for key, text in _flat(branch, (*path, name)).items()
    }


def test_english_and_german_are_there() -> None:
    assert {path.stem for path in LANGUAGES} >= {"en", "de"}


@pytest.mark.parametrize("path", LANGUAGES, ids=lambda path: path.stem)
def test_every_name_of_the_catalogue(path: Path) -> None:
    names = {key: _placeholders(name) for key, name in _names(path).items()}
    assert names == OTHERS | translation_keys()


@pytest.mark.parametrize("path", LANGUAGES, ids=lambda path: path.stem)
def test_no_name_twice(path: Path) -> None:
    names = _names(path)
    assert len(set(names.values())) == len(names)


@pytest.mark.parametrize("path", LANGUAGES, ids=lambda path: path.stem)
def test_same_texts_as_english(path: Path) -> None:
    english = _texts(_load(COMPONENT / "translations" / "en.json"))
    assert _texts(_load(path)) == english


def test_icons_belong_to_sensors() -> None:
    icons = _load(COMPONENT / "icons.json")["entity"]
    assert isinstance(icons, dict)
    assert set(icons["sensor"]) <= set(translation_keys() | OTHERS)
    assert all(icon["default"].startswith("mdi:") for icon in icons["sensor"].values())


@pytest.mark.parametrize("path", LANGUAGES, ids=lambda path: path.stem)
def test_no_apostrophe_hides_a_placeholder(path: Path) -> None:
    # The frontend's messages take an apostrophe before a brace for a quotation: the name itself would be shown.
    hidden = [".".join(key) for key, text in _flat(_load(path)).items() if "'{" in text]
    assert not hidden


@pytest.mark.parametrize("path", LANGUAGES, ids=lambda path: path.stem)
def test_advice_names_a_setting_as_its_page_does(path: Path) -> None:
    texts = _flat(_load(path))
    section = ("config", "step", "user", "sections", "advanced")
    for kind in (("config", "error", "no_data"), ("exceptions", "no_data", "message")):
        for label in ("name", "data/stay", "data/switch_delay"):
            assert texts[*section, *label.split("/")] in texts[kind]
    for kind in (
        ("config", "error", "readout_instead"),
        ("exceptions", "readout_instead", "message"),
    ):
        assert texts[*section, "data", "stay"] in texts[kind]
