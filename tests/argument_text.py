"""The other way round than fastredis.engine.arguments: arguments as the text that is parsed into them."""
import re
from collections.abc import Iterable, Sequence
from itertools import zip_longest

from fastredis.engine.arguments import Argument


def format_args(arguments: Iterable[Argument]) -> str:
    """The shortest text that parse_args turns into these arguments."""
    return _format_sequence(tuple(arguments), [-1])


def _format_sequence(arguments: Sequence[Argument], highest_key: list[int]) -> str:
    texts: list[str] = []
    for argument, following in zip_longest(arguments, arguments[1:]):
        # A required argument without a token would be taken for the value of a bare token before it.
        before_name = following is not None and not following.optional and not _starts_with_token(following)
        texts.append(_format_argument(argument, highest_key, before_name))
    return " ".join(texts)


def _starts_with_token(argument: Argument) -> bool:
    if argument.type == "pure-token":
        return _is_bare(argument)
    return argument.token is not None


def _is_bare(argument: Argument) -> bool:
    """Whether a pure token can be written without its name."""
    return argument.name == argument.token.lower()


def _format_argument(argument: Argument, highest_key: list[int], before_name: bool = False) -> str:
    """One argument; highest_key[0] is the highest key spec index so far."""
    text = _format_token(argument.token) if argument.token is not None else ""
    if argument.type == "pure-token":
        if not _is_bare(argument) or (before_name and not argument.optional):
            text = f"{argument.name}={text}"
    else:
        if text:
            text += "... " if argument.multiple_token else " "
        text += argument.name
    if argument.type == "oneof":
        text += f"=({' | '.join(_format_argument(each, highest_key) for each in argument.arguments)})"
    elif argument.type == "block":
        text += f"={{{_format_sequence(argument.arguments, highest_key)}}}"
    else:
        if argument.display_text is not None:
            text += f"<{argument.display_text}>"
        if argument.type not in ("pure-token", "key" if argument.name == "key" else "string"):
            text += f":{argument.type}"
    text += _format_suffix(argument, highest_key)
    return f"[{text}]" if argument.optional else text


def _format_token(token: str) -> str:
    return token if re.fullmatch("[A-Z][A-Z0-9_-]*", token) else f'"{token}"'


def _format_suffix(argument: Argument, highest_key: list[int]) -> str:
    text = ""
    index = argument.key_spec_index
    if index is not None:
        if argument.type != "key" or index != highest_key[0] + 1:
            text += f"#{index}"
        highest_key[0] = max(highest_key[0], index)
    if argument.since or argument.deprecated_since:
        text += f"@{argument.since or ''}"
    if argument.deprecated_since:
        text += f"-{argument.deprecated_since}"
    return text + "..." if argument.multiple and not argument.multiple_token else text
