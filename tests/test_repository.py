"""The face of the repository: what HACS, Home Assistant and a newcomer look at first."""

import json
from pathlib import Path
import re
import struct
import subprocess
from zipfile import ZipFile

from awesomeversion import AwesomeVersion
from homeassistant import const
from homeassistant.util.yaml import load_yaml_dict
import pytest

ROOT = Path(__file__).parents[1]
COMPONENT = ROOT / "custom_components" / "iec62056"
TESTED = const.__version__
HACS = json.loads((ROOT / "hacs.json").read_text("utf-8"))
MANIFEST = json.loads((COMPONENT / "manifest.json").read_text("utf-8"))
SCRIPTS = [
    path
    for path in (*(ROOT / "scripts").iterdir(), ROOT / ".ci" / "run")
    if path.read_bytes().startswith(b"#!")
]


def test_hacs_asks_for_the_version_that_is_tested_and_documented() -> None:
    oldest = AwesomeVersion(HACS["homeassistant"])
    assert oldest <= TESTED
    assert oldest.section(0) == AwesomeVersion(TESTED).section(0)
    assert oldest.section(1) == AwesomeVersion(TESTED).section(1)
    assert f"**{oldest}**" in (ROOT / "README.md").read_text("utf-8")


def test_manifest_is_what_home_assistant_and_hacs_load() -> None:
    assert MANIFEST["domain"] == COMPONENT.name
    assert MANIFEST["name"] == HACS["name"]
    assert AwesomeVersion(MANIFEST["version"]).valid
    assert {"codeowners", "documentation", "issue_tracker"} <= MANIFEST.keys()
    assert "usb" in MANIFEST["dependencies"], "it brings the serial library"
    keys = list(MANIFEST)
    assert keys == ["domain", "name", *sorted(keys[2:])], "hassfest wants this order"


def test_the_change_log_tells_of_this_version() -> None:
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert headings[0] == MANIFEST["version"]


def test_the_archive_is_the_component(tmp_path: Path) -> None:
    archive = tmp_path / HACS["filename"]
    assert HACS["filename"] in (ROOT / "scripts" / "release").read_text("utf-8")
    subprocess.run(
        ["git", "archive", "--format=zip", "--output", archive, "HEAD:custom_components/iec62056"],
        cwd=ROOT,
        check=True,
        timeout=60,
    )
    with ZipFile(archive) as file:
        names = set(file.namelist())
    assert {"manifest.json", "__init__.py", "translations/en.json", "brand/icon.png"} <= names
    assert not any(name.startswith(("custom_components", "tests")) for name in names)


def test_each_action_is_described_and_has_an_icon() -> None:
    described = set(load_yaml_dict(str(COMPONENT / "services.yaml")))
    icons = json.loads((COMPONENT / "icons.json").read_text("utf-8"))
    english = json.loads((COMPONENT / "translations" / "en.json").read_text("utf-8"))
    assert described == set(icons["services"]) == set(english["services"])


def test_there_is_one_integration() -> None:
    assert [path.parent.name for path in COMPONENT.parent.glob("*/manifest.json")] == ["iec62056"]


def _size(picture: Path) -> tuple[int, int]:
    data = picture.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", data[16:24])
    return width, height


@pytest.mark.parametrize(("name", "size"), [("icon.png", 256), ("icon@2x.png", 512)])
def test_icons_are_squares_of_the_size_home_assistant_wants(name: str, size: int) -> None:
    assert _size(COMPONENT / "brand" / name) == (size, size)


@pytest.mark.parametrize("kind", ["logo", "dark_logo"])
def test_logos_are_landscapes_of_the_size_home_assistant_wants(kind: str) -> None:
    for suffix, height in (("", 256), ("@2x", 512)):
        width, measured = _size(COMPONENT / "brand" / f"{kind}{suffix}.png")
        assert measured == height
        assert width > height


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_can_be_started(script: Path) -> None:
    assert script.stat().st_mode & 0o111 == 0o111
    subprocess.run(["bash", "-n", script], check=True, timeout=60)


def test_links_of_the_documents_lead_somewhere() -> None:
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
    links = [
        (document, target)
        for document in documents
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", document.read_text("utf-8"))
    ]
    assert links
    missing = [
        f"{document.name}: {to}" for document, to in links if not (document.parent / to).exists()
    ]
    assert not missing


def test_nothing_names_a_folder_of_one_machine() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        timeout=60,
    ).stdout.split(b"\0")
    private = re.compile(rb"(?<![\w.])/(?:home|root|Users|work)/\w")
    naming = [
        name
        for name in tracked
        if name and (path := ROOT / name.decode()).is_file() and private.search(path.read_bytes())
    ]
    assert not naming
