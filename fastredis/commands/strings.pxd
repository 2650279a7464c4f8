# What other modules of string commands share with strings.pyx: the options for expire times, and room.

from libc.stdint cimport int64_t

from fastredis.engine.client cimport Client
from fastredis.engine.options cimport Options
from fastredis.values.entry cimport Entry

cdef enum:                          # flags of the options that commands on strings have
    SET_NX = 1 << 0
    SET_XX = 1 << 1
    SET_GET = 1 << 2
    SET_KEEPTTL = 1 << 3
    EXPIRE_EX = 1 << 4
    EXPIRE_PX = 1 << 5
    EXPIRE_EXAT = 1 << 6
    EXPIRE_PXAT = 1 << 7
    SET_PERSIST = 1 << 8
    IF_EQ = 1 << 9
    IF_NE = 1 << 10
    IF_DEQ = 1 << 11
    IF_DNE = 1 << 12
    INCREX_ENX = 1 << 13
    INCREX_BYINT = 1 << 14
    INCREX_BYFLOAT = 1 << 15
    INCREX_LBOUND = 1 << 16
    INCREX_UBOUND = 1 << 17
    INCREX_SATURATE = 1 << 18
    SET_EXPIRES = EXPIRE_EX | EXPIRE_PX | EXPIRE_EXAT | EXPIRE_PXAT
    SET_COMPARES = IF_EQ | IF_NE | IF_DEQ | IF_DNE

cdef bint string_room_or_reply(Client c, const Entry* e, size_t size) except -1
cdef bint string_options_or_reply(Client c, int first, int takes, Options* given) except -1
cdef bint expiry_or_reply(Client c, const Options* given, const char* command, int64_t* when_ms) except -1
