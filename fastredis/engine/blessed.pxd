# Blessed: the keys of a database that eviction spares (BLESS SET key NO-EVICT).
#
#   Database.blessed --> names (table) --> Entry of a name only, whose value says whether the key has a deadline
#
# An entry of the keyspace has no bit left, and few keys are blessed: their names lie beside it, in a table of
# their own that BLESS SCAN walks through. A database without any has None, and costs nothing.
# That a key is gone, or has a deadline now, is heard like by those who watch keys: with LISTEN_BLESSED in
# Core.listeners Engine.key_event() asks Database.settle_blessing(). So a value that is overwritten, or deleted
# and put back by one command, stays blessed; RENAME and MOVE take it along, COPY and RESTORE do not.
# `timed` counts those with a deadline, so that it is known when volatile-* finds nothing any more.
# Files have the names in AUX fields of the RDB, which whoever does not know them passes over, and as commands.
# Rejected: the bit in key_size or value_size (read in a hundred places).
# Source: https://redis.io/docs/latest/commands/bless-set/

from libc.stdint cimport uint64_t

from fastredis._resp cimport Arg
from fastredis.ds.alloc cimport Account
from fastredis.ds.table cimport Table
from fastredis.values.entry cimport Entry

cdef enum:
    LISTEN_BLESSED = 1 << 4             # beside LISTEN_WATCH ... of core: a key that goes may be blessed


cdef class Blessed:
    cdef Account* account
    cdef object owner                   # keeps account alive
    cdef Table names
    cdef uint64_t timed
    cdef Entry* find(self, Arg* key) noexcept
    cdef bint add(self, Arg* key, bint timed) except -1
    cdef bint remove(self, Arg* key) except -1
    cdef int set_timed(self, Arg* key, bint timed) noexcept
    cdef uint64_t count(self) noexcept

cdef Blessed blessed_new(Account* account, owner)
