"""Settings of an embedded server: keyword arguments, each named as in redis.conf, with `_` for `-`."""

import os
from collections.abc import Mapping
from typing import TypeAlias

from fastredis.config.config import Config, FatalConfigError
from fastredis.embed.errors import SettingError
from fastredis.text import quote, to_text

Word: TypeAlias = bool | int | float | str | bytes | os.PathLike[str]
Setting: TypeAlias = Word | list[Word] | tuple[Word, ...] | None

# What an embedded server does otherwise than one of its own process: it keeps nothing, and listens for this machine.
DEFAULTS: Mapping[str, Setting] = {"bind": "127.0.0.1", "save": "", "appendonly": False}


def word(value: Word | None) -> str:
    """A value as redis.conf has it: yes and no for truth, an empty word for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, bytes):
        return to_text(value)
    return os.fspath(value) if isinstance(value, os.PathLike) else str(value)


def text_of(value: Setting) -> str:
    """A value as CONFIG SET has it; a list or tuple has several words."""
    return " ".join(map(word, value)) if isinstance(value, list | tuple) else word(value)


def config_of(settings: Mapping[str, Setting]) -> Config:
    """A Config with these settings. A list or tuple has the words of a line. Errors: SettingError."""
    config = Config()
    lines = []
    for name, value in settings.items():
        words = value if isinstance(value, list | tuple) else [value]
        lines.append(" ".join([name.replace("_", "-"), *(quote(word(each)) for each in words)]))
    try:
        config.load(options="\n".join(lines))
    except FatalConfigError as error:
        raise SettingError(f"{error.line_text or 'settings'}: {error.reason}") from None
    return config
