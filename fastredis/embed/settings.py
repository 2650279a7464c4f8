"""Settings of an embedded server: keyword arguments, each named as in redis.conf, with `_` for `-`, and `users`.

users={"app": "on >secret ~app:* +@all"}: name -> rules, as ACL SETUSER has them, in one text or one by one.
"""

import os
from collections.abc import Mapping
from typing import TypeAlias

from fastredis.config.config import Config, FatalConfigError
from fastredis.embed.errors import SettingError
from fastredis.text import quote, to_text

Word: TypeAlias = bool | int | float | str | bytes | os.PathLike[str]
Users: TypeAlias = Mapping[str, str | list[str] | tuple[str, ...]]
Setting: TypeAlias = Word | list[Word] | tuple[Word, ...] | Users | None

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
    """A value as CONFIG SET has it; a list or tuple has several words. Errors: SettingError for users."""
    if isinstance(value, Mapping):
        raise SettingError("users of a server that runs are changed by ACL SETUSER")
    return " ".join(map(word, value)) if isinstance(value, list | tuple) else word(value)


def user_lines(setting: str, users: Users) -> list[str]:
    """The `user` lines of redis.conf. Errors: SettingError if the setting is another one."""
    if setting != "users":
        raise SettingError(f"{setting}: only users has names and values")
    return [" ".join(["user", *map(quote, [name, *(rules.split() if isinstance(rules, str) else rules)])])
            for name, rules in users.items()]


def config_of(settings: Mapping[str, Setting]) -> Config:
    """A Config with these settings. A list or tuple has the words of a line. Errors: SettingError."""
    config = Config()
    lines = []
    for name, value in settings.items():
        if isinstance(value, Mapping):
            lines += user_lines(name, value)
            continue
        words = value if isinstance(value, list | tuple) else [value]
        lines.append(" ".join([name.replace("_", "-"), *(quote(word(each)) for each in words)]))
    try:
        config.load(options="\n".join(lines))
    except FatalConfigError as error:
        raise SettingError(f"{error.line_text or 'settings'}: {error.reason}") from None
    return config
