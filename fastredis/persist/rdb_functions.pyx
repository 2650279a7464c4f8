"""Libraries of functions as the payload of FUNCTION DUMP: as they stand in an RDB file, and at the end as that of DUMP.

Source: https://redis.io/commands/function-dump
"""
from libc.stdint cimport uint8_t

from fastredis.engine.engine cimport Engine
from fastredis.persist.rdb cimport RDB_FOOTER, RDB_OP_FUNCTION2, RDB_OP_FUNCTION_RC, RDB_VERSION
from fastredis.persist.rdb_read cimport rdb_dump_valid
from fastredis.persist.rdb_reader cimport (
    RDB_SCRATCH_VALUE, RdbReader, RdbText, rdb_read_bytes, rdb_read_string, rdb_reader_clear, rdb_reader_init,
)
from fastredis.persist.rdb_save cimport (
    RdbWriter, rdb_write_footer, rdb_write_libraries, rdb_writer_clear, rdb_writer_init,
)

from fastredis.persist.rdb_read import RdbError


class BadPayloadError(Exception):
    """FUNCTION RESTORE was given something else; `text` is the error reply without its code."""

    def __init__(self, text: bytes):
        super().__init__(text)
        self.text = text


def dump_libraries(Engine engine not None):
    """The payload of FUNCTION DUMP."""
    cdef RdbWriter w

    rdb_writer_init(&w, &engine.core.memory, -1)
    try:
        w.compress = engine.config["rdbcompression"]
        rdb_write_libraries(&w, engine)
        rdb_write_footer(&w, RDB_VERSION)
        return w.data[:w.size]
    finally:
        rdb_writer_clear(&w)


def read_libraries(Engine engine not None, bytes payload not None):
    """The codes in a payload of FUNCTION DUMP. Errors: BadPayloadError."""
    cdef RdbReader r

    if not rdb_dump_valid(payload, len(payload), not engine.core.skip_checksums,
                          engine.config["rdb-version-check"] == "relaxed"):
        raise BadPayloadError(b"DUMP payload version or checksum are wrong")
    rdb_reader_init(&r, &engine.core.memory, &engine.core.limits, <const char*>payload, len(payload) - RDB_FOOTER)
    r.ended = True
    r.to_come = 0
    codes = []
    try:
        while r.pos < r.size:
            codes.append(read_library(&r))
    except RdbError:
        raise BadPayloadError(b"Failed loading library payload") from None
    finally:
        rdb_reader_clear(&r)
    return codes


cdef bytes read_library(RdbReader* r):
    cdef const uint8_t* opcode = NULL
    cdef RdbText text

    rdb_read_bytes(r, 1, &opcode)
    if opcode[0] == RDB_OP_FUNCTION_RC:
        raise BadPayloadError(b"Pre-GA function format not supported")
    if opcode[0] != RDB_OP_FUNCTION2:
        raise BadPayloadError(b"given type is not a function")
    rdb_read_string(r, RDB_SCRATCH_VALUE, &text)
    return text.text[:text.size]
