"""ACL LOG: what users were denied, the newest first; the same once more within a minute counts in the same entry.

An entry keeps the names that a client chose, and the line that describes the client, as Redis does: reading the log is
for administrators. Its length is `acllog-max-len`.
Source: https://redis.io/docs/latest/commands/acl-log/
"""

from dataclasses import dataclass
from itertools import islice

from fastredis.engine.acl.access import (
    DENIED_CERTIFICATE,
    DENIED_CHANNEL,
    DENIED_COMMAND,
    DENIED_DATABASE,
    DENIED_KEY,
    DENIED_LOGIN,
    FROM_CLIENT,
    FROM_MULTI,
    FROM_SCRIPT,
)

REASONS = {DENIED_DATABASE: "database", DENIED_COMMAND: "command", DENIED_KEY: "key", DENIED_CHANNEL: "channel",
           DENIED_LOGIN: "auth", DENIED_CERTIFICATE: "tls-cert"}
CONTEXTS = {FROM_CLIENT: "toplevel", FROM_MULTI: "multi", FROM_SCRIPT: "lua"}
SAME_MS = 60 * 1000
LOOKED_AT = 10          # entries that a new one may be the same as


@dataclass(slots=True)
class Entry:
    entry_id: int
    reason: int
    context: int
    subject: bytes
    user: bytes
    client: str
    created_ms: int
    updated_ms: int
    count: int = 1

    def is_like(self, other: "Entry") -> bool:
        same = (self.reason, self.context, self.subject, self.user)
        return (same == (other.reason, other.context, other.subject, other.user)
                and abs(self.updated_ms - other.updated_ms) <= SAME_MS)

    def fields(self, now_ms: int) -> dict:
        """As ACL LOG replies it."""
        return {
            "count": self.count,
            "reason": REASONS[self.reason],
            "context": CONTEXTS[self.context],
            "object": self.subject,
            "username": self.user,
            "age-seconds": (now_ms - self.updated_ms) / 1000,
            "client-info": self.client,
            "entry-id": self.entry_id,
            "timestamp-created": self.created_ms,
            "timestamp-last-updated": self.updated_ms,
        }


class AclLog:
    """The log of one engine, and how often each reason was one (since CONFIG RESETSTAT)."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.longest = 0
        self.next_id = 0
        self.counts = dict.fromkeys(REASONS, 0)

    def reset_statistics(self) -> None:
        self.counts = dict.fromkeys(REASONS, 0)

    def note(self, reason: int, context: int, subject: bytes, user: bytes, client: str, now_ms: int) -> None:
        """A user was denied something: a command, a key, a channel, a database, or (the command) to log in."""
        self.counts[reason] += 1
        entry = Entry(self.next_id, reason, context, subject, user, client, now_ms, now_ms)
        for place, other in enumerate(self.entries[:LOOKED_AT] if self.longest else ()):
            if entry.is_like(other):
                other.client, other.updated_ms = client, now_ms
                other.count += 1
                self.entries.insert(0, self.entries.pop(place))
                return
        if self.longest:
            self.next_id += 1
            self.entries.insert(0, entry)
        self.trim()

    def trim(self) -> None:
        del self.entries[self.longest :]

    def newest(self, count: int) -> list[Entry]:
        return list(islice(self.entries, count))

    def clear(self) -> None:
        self.entries = []
