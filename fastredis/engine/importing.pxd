# import-mode: another server's data come in through ordinary connections, by a tool that reads that server's stream.
#
# What expires there is deleted there, and the DEL comes along. So nothing expires here meanwhile and nothing is
# evicted, as on a replica, and the tool's connections (CLIENT IMPORT-SOURCE) see what has expired: else INCR of a key
# that has got another deadline in time would begin at 1. The gate takes all commands off the fast path meanwhile.
#
# Bits of Session.flags and Core.gate, beside those of engine.pxd and core.pxd.

from fastredis.engine.core cimport GATE_PAUSED, Core

cpdef enum:
    C_IMPORT_SOURCE = 1 << 30           # CLIENT IMPORT-SOURCE
    GATE_IMPORT = 1 << 8                # import-mode is on
    GATE_SEES_EXPIRED = 1 << 9          # ... and the command under way is an import source's


cdef inline bint sees_expired(const Core* core) noexcept:
    """Whether the command under way comes from who says itself when keys go: the master, an import source."""
    return core.obeying or core.gate & GATE_SEES_EXPIRED != 0


cdef inline int settle_expiry(Core* core) noexcept:
    """Have keys removed when their time comes, unless another server, a client or a pause is against it."""
    core.expire_on_access = not (core.is_replica or core.gate & (GATE_PAUSED | GATE_IMPORT))
    core.rearm = True
    return 0
