"""The audit lines of the log: who has changed settings or users, and how.

    CONFIG SET "maxmemory" "100mb" "requirepass" (redacted) by client id=7 addr=127.0.0.1:50000 user=admin

A line is written, as a notice, once the change is made. A value that is a secret is never in it; with
`hide-user-data-from-log` names of users, and what their rules are about, are not either.
"""

from fastredis.text import quote, to_text

REDACTED = "(redacted)"
PASSWORD_MARKS = (b">", b"<", b"#", b"!")       # first letters of ACL rules that hold a password, or its hash


def author(client) -> str:
    """Who a client is now: it may be another user once its command has run."""
    user = REDACTED if hides_data(client.engine) else quote(to_text(client.user.name))
    return f"client id={client.id} addr={to_text(client.peer or b'?:0')} user={user}"


def audit(engine, who: str, command: str, words: list[str]) -> None:
    """Log what has been changed by somebody."""
    engine.log.notice(f"{' '.join([command, *words])} by {who}")


def hides_data(engine) -> bool:
    """Whether names of users stay out of the log."""
    return engine.config["hide-user-data-from-log"]


def setting_words(config, pairs: list[tuple[str, str]]) -> list[str]:
    """Settings with their values, as the line shows them."""
    return [word for name, value in pairs
            for word in (quote(name), REDACTED if config.is_sensitive(name) else quote(value))]


def rule_words(engine, rules: list[bytes]) -> list[str]:
    """The rules of ACL SETUSER, as the line shows them."""
    if hides_data(engine):
        return [REDACTED] * len(rules)
    return [quote(to_text(rule[:1])) + REDACTED if rule.startswith(PASSWORD_MARKS) else quote(to_text(rule))
            for rule in rules]


def user_words(engine, names: list[bytes]) -> list[str]:
    """Names of users, as the line shows them."""
    return [REDACTED if hides_data(engine) else quote(to_text(name)) for name in names]
