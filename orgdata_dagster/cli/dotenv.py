"""The project's `.env`: variables that are not yet in the environment.

Here: reading and checking the file. Keep out: what the variables mean (settings.py, the vendors).
"""

from __future__ import annotations

import os
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from orgdata_dagster import settings


def load_environment(path: Path) -> None:
    """Set the variables of a `.env` file that are not yet in the environment. A missing file is fine.

    Raises SettingsError with file, line and fix for lines that are not `NAME=value`.
    """
    if not os.path.lexists(path):
        return
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise settings.SettingsError(f"{path} is not a UTF-8 text file: save it as UTF-8") from None
    except OSError as error:
        raise settings.SettingsError(
            f"{path} cannot be read ({error.strerror}): make it readable, or delete it"
        ) from None
    wrong = [
        binding.original.line for binding in parse_stream(StringIO(text)) if binding.error or _has_no_name(binding.key)
    ]
    wrong += [number for number, line in enumerate(text.splitlines(), 1) if "\0" in line]
    if wrong:
        numbers = ", ".join(map(str, sorted(set(wrong))))
        raise settings.SettingsError(f"{path}, line {numbers}: not NAME=value; correct it, or put a # before it")
    for name, value in dotenv_values(stream=StringIO(text)).items():
        if value is not None:
            os.environ.setdefault(name, value)


def _has_no_name(key: str | None) -> bool:
    return key is not None and not key.replace("_", "a").isalnum()
