"""Every rule of Home Assistant's quality scale has an answer, and each exemption a reason."""

from pathlib import Path

from homeassistant.util.yaml import load_yaml_dict
import pytest

FILE = Path(__file__).parents[1] / "custom_components" / "iec62056" / "quality_scale.yaml"
# All four tiers, as of August 2026.
RULES = frozenset(
    """
action-setup appropriate-polling brands common-modules config-flow config-flow-test-coverage dependency-transparency
docs-actions docs-conditions docs-high-level-description docs-installation-instructions docs-removal-instructions
docs-triggers entity-event-setup entity-unique-id has-entity-name runtime-data test-before-configure test-before-setup
unique-config-entry
action-exceptions config-entry-unloading docs-configuration-parameters docs-installation-parameters entity-unavailable
integration-owner log-when-unavailable parallel-updates reauthentication-flow test-coverage
devices diagnostics discovery discovery-update-info docs-data-update docs-examples docs-known-limitations
docs-supported-devices docs-supported-functions docs-troubleshooting docs-use-cases dynamic-devices entity-category
entity-device-class entity-disabled-by-default entity-translations exception-translations icon-translations
reconfiguration-flow repair-issues stale-devices
async-dependency inject-websession strict-typing
""".split()  # noqa: SIM905
)
ANSWERS = load_yaml_dict(str(FILE))["rules"]


def test_every_rule_is_answered_and_none_invented() -> None:
    assert set(ANSWERS) == RULES


@pytest.mark.parametrize("rule", sorted(RULES))
def test_what_is_not_done_has_a_reason(rule: str) -> None:
    answer = ANSWERS[rule]
    if answer != "done":
        assert answer["status"] in ("exempt", "todo")
        assert len(answer["comment"].split()) > 3
