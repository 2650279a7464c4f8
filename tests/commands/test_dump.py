"""DUMP and RESTORE: rows that run on both servers, payloads that go from one to the other, and what is propagated."""
import random

import pytest

from tests.resp import Error
from tests.rows import NOT_INTEGER, OK, SYNTAX, Advance, Any, Between, Case, Push, wrong_args

VERSION_10_OF_BAR = rb"\x00\x03bar\n\x00\xecDMC\xf3\xaeY\x8a"

BUSY = Error("BUSYKEY Target key name already exists.")
BAD_FOOTER = Error("ERR DUMP payload version or checksum are wrong")
BAD_FORMAT = Error("ERR Bad data format")
BAD_TTL = Error("ERR Invalid TTL value, must be >= 0")
BAD_IDLETIME = Error("ERR Invalid IDLETIME value, must be >= 0")
BAD_FREQ = Error("ERR Invalid FREQ value, must be >= 0 and <= 255")
