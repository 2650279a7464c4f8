# Tracking: which clients keep copies of which keys, and are told when these have changed (CLIENT TRACKING).
#
#   GET k by 7, 9      keys (table) --> Cached: ids 7, 9, name k        k changes: told at once, and forgotten
#   BCAST PREFIX a:    prefixes {b"a:": Audience}                       all that changed in a turn: told at its end
#
# A key changes where Engine.key_changed() says so, all keys of a database where Engine.keys_change() does, with
# LISTEN_TRACKING in Core.listeners while any client tracks: commands, scripts, expiry, eviction, what a master sends.
# Names are those of all databases, as in Redis: a client that reads from two is told more than it needs.
# What a client reads is noted by call(), in the branch that it has for clients who wait, so that others pay nothing.
#
# Holds: a client is told of a change after it got the reply with the old value, and of its own changes behind the
# reply of the command that made them. Who is told of a key is out of its Cached; who reads it anew is in again.
# A client that went leaves its ids behind (taking them out would need a list of all that it ever read): they are passed
# over when the key changes, and taken out before a Cached grows, so dead ids are never more than the living.
# The table has no more keys than tracking-table-max-keys: others are chosen at random and told of as if they had
# changed. It counts in used_memory.
# Prefixes are looked up by each of their lengths: a key costs as many lookups as there are lengths, not prefixes.
# Rejected: a Line of Places for each key (110 bytes for each client that read it instead of 8); noting reads in
# the handlers of commands (a hundred places).
# Source: https://redis.io/docs/latest/develop/reference/client-side-caching/

from libc.stdint cimport int64_t, uint32_t, uint64_t

from fastredis._resp cimport Arg
from fastredis.ds.table cimport Slot, Table
from fastredis.engine.client cimport Client
from fastredis.engine.command cimport Command
from fastredis.engine.engine cimport Engine, Tracker
from fastredis.engine.keyspace cimport Garbage
from fastredis.engine.reply cimport Reply


cdef struct Cached:
    size_t key_size
    uint32_t count                      # ids in use
    uint32_t room                       # behind this are `room` ids (int64_t), ascending, then the name


cdef class Forgotten(Garbage):
    """All of a table, to be freed in slices."""
    cdef Table keys


cdef class Mode:
    """How one client tracks, beside the C_TRACKING_* bits of its flags."""
    cdef readonly int64_t redirect      # id of the client that is told in its place; 0: itself
    cdef readonly tuple prefixes        # of BCAST, in their order; none: ()
    cdef uint64_t emptied               # Tracking.emptied when it was told last that all keys are gone


cdef class Audience:
    """Who hears of keys with a prefix, and which of them have changed in this turn."""
    cdef dict clients                   # Client -> None
    cdef dict changed                   # name -> who changed it, None: none of those who track


cdef class Tracking(Tracker):
    cdef Engine engine
    cdef Table keys                     # of Cached
    cdef dict modes                     # Client -> Mode
    cdef readonly dict prefixes         # prefix -> Audience
    cdef list lengths                   # of the prefixes, ascending
    cdef readonly int64_t items         # ids in the table
    cdef uint64_t most                  # keys in the table; 0: no limit
    cdef uint64_t emptied               # how often all keys of a database went
    cdef bint emptied_now               # in this turn
    cdef Client current                 # who tracks, and whose command is under way

    cdef Client enter(self, Client c)
    cdef int leave(self, Client c, Command command, Client outer) except -1
    cdef int remember(self, Client c, Command command) except -1

    # helpers of the implementation
    cdef int note_reader(self, Arg* key, int64_t id) except -1
    cdef Cached* make_room(self, Slot* slot, Cached* e) except NULL
    cdef int note_prefixes(self, bytes name, Client by) except -1
    cdef int tell_readers(self, const char* key, size_t size, Client by) except -1
    cdef int clear(self) except -1
    cdef bint count_prefixes(self, Client c, added) except -1
    cdef int limit(self) except -1
    cdef Reply message(self, Client c)
    cdef int tell_broken(self, Client c, Mode mode) except -1
    cdef int tell_key(self, Client c, const char* key, size_t size) except -1
    cdef int tell_names(self, Client c, dict changed) except -1
    cdef int tell_emptied(self, Client c, Mode mode) except -1
