"""The server's log, line by line as redis-server writes it, so that tools which wait for a line find it.

    3841:M 22 Nov 2026 08:06:07.120 * Ready to accept connections
    pid   role (M master, S replica, C child or not yet started)   level: . debug - verbose * notice # warning

With `log-format logfmt` or `json` a line has the same as Valkey's fields: pid, role, timestamp, level, message.
"""

import os
import time
from dataclasses import dataclass

from fastredis.config.config import Config
from fastredis.text import to_bytes

LEVELS = ("debug", "verbose", "notice", "warning", "nothing")
LEVEL_CHARS = ".-*#"
LEVEL_NAMES = ("debug", "info", "notice", "warning")
ROLE_NAMES = {"M": "primary", "S": "replica", "C": "RDB/AOF"}
LOGFMT_UNSAFE = str.maketrans({'"': "'", "\n": " ", "\r": " "})
DEBUG, VERBOSE, NOTICE, WARNING = range(4)
FLOOD_LINES = 10            # of what clients can cause at will, so many lines of a kind are logged
FLOOD_SECONDS = 10          # ... in so long


@dataclass
class Flood:
    """Lines of one kind in the present span of FLOOD_SECONDS: since when, how many came."""

    since_s: float
    count: int = 0


class Logger:
    """Writes to `logfile`, or to the standard output, and to syslog if `syslog-enabled`.

    All settings are read from the Config for each line, so CONFIG SET takes effect at once. The file is opened
    for each line: it may be moved away or truncated at any time. What cannot be written is lost, silently, as
    there is nowhere to say so.
    """

    def __init__(self, config: Config):
        self._config = config
        self._main_pid = 0
        self._syslog_open = False
        self._floods: dict[str, Flood] = {}
        self.is_replica = False

    def started(self) -> None:
        """From here on this process is the server: its lines say M or S, those of its children C."""
        self._main_pid = os.getpid()

    def debug(self, text: str) -> None:
        self.write(DEBUG, text)

    def verbose(self, text: str) -> None:
        self.write(VERBOSE, text)

    def notice(self, text: str) -> None:
        self.write(NOTICE, text)

    def warning(self, text: str) -> None:
        self.write(WARNING, text)

    def wants(self, level: int) -> bool:
        """Whether lines of that level are logged."""
        return level >= LEVELS.index(self._config["loglevel"])

    def limited(self, kind: str, level: int, text: str) -> None:
        """A line that clients can cause at will: of many of its kind a few are logged, and how many there were."""
        if not self.wants(level):
            return
        now_s = time.monotonic()
        flood = self._floods.setdefault(kind, Flood(now_s))
        if now_s - flood.since_s >= FLOOD_SECONDS:
            if flood.count > FLOOD_LINES:
                self.write(level, f"{flood.count - FLOOD_LINES} more lines of this kind ({kind}) were left out")
            flood.since_s, flood.count = now_s, 0
        flood.count += 1
        if flood.count <= FLOOD_LINES:
            self.write(level, text)

    def write(self, level: int, text: str) -> None:
        if not self.wants(level):
            return
        self._put(to_bytes(self._line(level, text)))
        if self._config["syslog-enabled"]:
            self._to_syslog(level, text)

    def _put(self, line: bytes) -> None:
        path = self._config["logfile"]
        try:
            if not path:
                os.write(1, line)
                return
            descriptor = self._config["dir"].open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            try:
                os.write(descriptor, line)
            finally:
                os.close(descriptor)
        except OSError:
            return

    def _line(self, level: int, text: str) -> str:
        pid = os.getpid()
        role = "C" if pid != self._main_pid else "S" if self.is_replica else "M"
        stamp = self._timestamp(time.time())
        style = self._config["log-format"]
        if style == "logfmt":
            fields = f'pid={pid} role={ROLE_NAMES[role]} timestamp="{stamp}" level={LEVEL_NAMES[level]}'
            return f'{fields} message="{text.translate(LOGFMT_UNSAFE)}"\n'
        if style == "json":
            import json

            message = to_bytes(text).decode("utf-8", "replace")     # JSON is UTF-8, whatever a name is
            fields = {"pid": pid, "role": ROLE_NAMES[role], "timestamp": stamp, "level": LEVEL_NAMES[level],
                      "message": message}
            return json.dumps(fields, ensure_ascii=False, separators=(",", ":")) + "\n"
        return f"{pid}:{role} {stamp} {LEVEL_CHARS[level]} {text}\n"

    def _timestamp(self, now: float) -> str:
        whole, milliseconds = divmod(int(now * 1000), 1000)
        style = self._config["log-timestamp-format"]
        if style == "milliseconds":
            return str(whole * 1000 + milliseconds)
        local = time.localtime(whole)
        if style == "iso8601":
            zone = time.strftime("%z", local)
            return f"{time.strftime('%Y-%m-%dT%H:%M:%S', local)}.{milliseconds:03d}{zone[:3]}:{zone[3:]}"
        return f"{time.strftime('%d %b %Y %H:%M:%S', local)}.{milliseconds:03d}"

    def _to_syslog(self, level: int, text: str) -> None:
        import syslog  # only servers with syslog-enabled pay for it

        if not self._syslog_open:
            facility = getattr(syslog, "LOG_" + self._config["syslog-facility"].upper())
            syslog.openlog(self._config["syslog-ident"], syslog.LOG_PID | syslog.LOG_NDELAY, facility)
            self._syslog_open = True
        priorities = (syslog.LOG_DEBUG, syslog.LOG_INFO, syslog.LOG_NOTICE, syslog.LOG_WARNING)
        # syslog takes a C string: no NUL, and nothing that UTF-8 cannot encode.
        syslog.syslog(priorities[level], to_bytes(text).decode("utf-8", "replace").replace("\0", " "))
