"""docs/troubleshooting.md matches the code: every message that it explains is in the source, word for word.

A message that is changed in the code makes a test fail here, so the page cannot fall behind.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from orgdata_dagster_tests.cli.test_conditions import CONDITIONS
from orgdata_dagster_tests.source_texts import FILLED_IN, modules_with, source, text_of

PAGE = (Path(__file__).parent.parent / "docs" / "troubleshooting.md").read_text()
SECTIONS = dict(re.findall(r"^### `(.+?)`$\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))
EXAMPLES = {"line 2", "loads.seconds"}  # words that are about the condition of the test alone
# errors whose text reaches the user as it is
OF_USERS = re.compile(r"UserError|UsageError|SettingsError|NoProject|NotSent|Refused|MemoryShort|(State|Warehouse)\w+|"
                      r"BadBody|BoundsIgnored|(Permanent|Transient)Error|Unreachable|UnsafeUrl")  # fmt: skip
MESSAGES = [*SECTIONS, *re.findall(r"^- `(.+)`$", PAGE, re.MULTILINE)]  # with or without an explanation of its own
SHORTEST = 7  # letters that a message must have outside of what differs


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_is_in_the_source(message: str) -> None:
    assert modules_with(message), "no module has all parts of this message; was it changed?"
    assert sum(map(str.isalpha, message.replace(FILLED_IN, ""))) >= SHORTEST


def test_every_message_has_an_explanation_and_no_heading_is_overlooked() -> None:
    assert [message for message, text in SECTIONS.items() if len(text.split()) < 3] == []
    assert len(re.findall(r"^### ", PAGE, re.MULTILINE)) == len(SECTIONS) > 100


def raised() -> Iterator[tuple[str, str]]:
    """Every error of these kinds: the place where it is raised, and its text."""
    for module, tree in source().items():
        for node in ast.walk(tree):
            name = getattr(getattr(node, "func", None), "id", "")
            if isinstance(node, ast.Call) and node.args and OF_USERS.fullmatch(name):
                text = " ".join((text_of(node.args[0]) or "").split())
                if sum(map(str.isalpha, text)) >= SHORTEST:
                    yield f"{module}:{node.lineno}", text


def test_every_error_of_the_machine_of_vendors_and_of_the_command_line_is_explained() -> None:
    parts = {" ".join(part.split()) for message in MESSAGES for part in message.split(FILLED_IN)}
    long_ones = [part for part in parts if sum(map(str.isalpha, part)) >= SHORTEST]
    errors = list(raised())
    assert len(errors) > 100
    assert [f"{place}: {text}" for place, text in errors if not any(part in text for part in long_ones)] == []


@pytest.mark.parametrize("name", CONDITIONS)
def test_what_may_be_wrong_with_a_machine_is_explained(name: str) -> None:
    """The words that a command must print about a condition (cli/test_conditions.py) are on the page."""
    words = set(CONDITIONS[name].words) - EXAMPLES
    missing = [word for word in words if word.casefold() not in PAGE.casefold()]
    assert missing == []


def test_a_changed_message_would_be_detected() -> None:
    assert modules_with("… holds the warehouse …: end it, or wait for its end, then run this again.")
    assert not modules_with("… has the warehouse …: end it, or wait for its end, then run this again.")
    assert not modules_with("… holds the warehouse and the disk is full")
    assert modules_with("The warehouse … is an empty file. Restore it from a backup")  # joined from two texts
    assert not modules_with("The warehouse … is an empty disk. Restore it from a backup")
