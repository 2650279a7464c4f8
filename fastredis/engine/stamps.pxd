# When entries are stamped with the clock that maxmemory-policy looks at.
#
#   *-lru, *-lfu    by use: Database.touch(), from every lookup
#   *-lrm           by change: Engine.key_changed(), where all changes of keys come by
#
# With *-lrm the engine itself is one of those who want to hear of changed keys (Core.listeners), and no lookup
# touches anything (Core.no_touch), so that the other policies pay nothing for it. What a new entry begins
# with, what RESTORE says, and what is written to files are as with *-lru.
# Source: https://redis.io/docs/latest/develop/reference/eviction/#lrm-eviction

from fastredis.engine.core cimport Core

cdef enum:
    LISTEN_STAMP = 1 << 3               # beside LISTEN_WATCH ... of core: entries are stamped when they change


cdef inline bint stamps_changes(const Core* core) noexcept:
    return core.listeners & LISTEN_STAMP != 0


cdef inline int stamp_changes(Core* core, bint wanted) noexcept:
    """Stamp entries when they change, and only then; or else when they are used."""
    if wanted != stamps_changes(core):
        core.listeners ^= LISTEN_STAMP
        core.no_touch = wanted
    return 0
