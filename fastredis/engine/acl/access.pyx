"""Checks of requests. The design comment is in access.pxd."""
from libc.stdint cimport int64_t, uint8_t

from fastredis._resp cimport arg_bytes
from fastredis.ds.numbers cimport parse_int64
from fastredis.engine.acl.user cimport ALL_CHANNELS, ALL_DATABASES, ALL_KEYS, MAY_READ, Selector
from fastredis.engine.engine cimport C_MULTI
from fastredis.engine.flags cimport NO_AUTH, READONLY, WRITE
from fastredis.engine.keys cimport KeyList, keys_free, keys_init
from fastredis.engine.options cimport arg_is

from fastredis.engine.command import declared_commands
from fastredis.engine.declarations import acl_categories

cdef enum:                              # what is special about a command, by its index
    USES_DATABASE = 1 << 0              # the selected one
    NAMES_ONE = 1 << 1                  # SELECT, MOVE: the last argument, or the second one
    NAMES_TWO = 1 << 2                  # SWAPDB
    NAMES_AFTER_DB = 1 << 3             # COPY
    USES_ALL = 1 << 4                   # FLUSHALL
    HAS_CHANNEL = 1 << 5                # one
    HAS_CHANNELS = 1 << 6               # all arguments
    HAS_PATTERNS = 1 << 7

cdef dict SPECIAL = {
    b"select": NAMES_ONE, b"move": NAMES_ONE, b"swapdb": NAMES_TWO, b"copy": NAMES_AFTER_DB, b"flushall": USES_ALL,
    b"publish": HAS_CHANNEL, b"spublish": HAS_CHANNEL, b"subscribe": HAS_CHANNELS, b"ssubscribe": HAS_CHANNELS,
    b"psubscribe": HAS_CHANNELS | HAS_PATTERNS,
}
cdef enum:
    CHANNELS = HAS_CHANNEL | HAS_CHANNELS
cdef bytes kinds = None                 # of all commands of the program, by index; made when it is first needed


cdef bytes all_kinds():
    cdef Command command
    cdef list found = []
    cdef int kind

    for command in declared_commands():
        kind = SPECIAL.get(command.name, 0)
        # SWAPDB concerns the databases that it names, whichever is selected; so does SELECT.
        if not kind & NAMES_TWO and (
                command.flags & (READONLY | WRITE) or command.keys.any or "keyspace" in acl_categories(
                    command.flags, command.group, command.declaration.acl)):
            kind |= USES_DATABASE
        found.append(kind)
    return bytes(found)


cdef int find_denial(Client c, User user, Command command, Arg* argv, int argc, int* position) except -1:
    global kinds
    cdef Selector selector
    cdef KeyList keys
    cdef int kind, denial, at
    cdef int worst = ALLOWED

    position[0] = 0
    if not user.limited:
        return ALLOWED
    if kinds is None:
        kinds = all_kinds()
    kind = <uint8_t>kinds[command.index] if command.index < <int>len(kinds) else USES_DATABASE
    keys_init(&keys, &c.core.memory)
    keys.count = -1
    if argc != command.arity and (command.arity > 0 or argc < -command.arity):
        kind = keys.count = 0           # only the command itself can be checked
    try:
        for selector in user.selectors:
            at = 0
            denial = check_selector(c, selector, command, kind, argv, argc, &keys, &at)
            if denial == ALLOWED:
                position[0] = 0
                return ALLOWED
            if denial > worst or (denial == worst and at > position[0]):
                worst = denial
                position[0] = at
    finally:
        keys_free(&keys)
    return worst


cdef inline int check_selector(Client c, Selector selector, Command command, int kind, Arg* argv, int argc,
                               KeyList* keys, int* position) except -1:
    """keys: count is -1 until they have been looked for."""
    cdef int i

    if not selector.flags & ALL_DATABASES and not allows_databases(c, selector, kind, argv, argc, position):
        return DENIED_DATABASE
    if not command.flags & NO_AUTH and not selector.allows_command(command.index, argv, argc):
        return DENIED_COMMAND
    if command.keys.any and not selector.flags & ALL_KEYS:
        if keys.count < 0:
            command.keys.find(argv, argc, keys)
        for i in range(keys.count):
            position[0] = keys.items[i].position
            if not selector.allows_key(argv[position[0]].ptr, argv[position[0]].size, keys.items[i].flags):
                return DENIED_KEY
    if kind & CHANNELS and not selector.flags & ALL_CHANNELS:
        for i in range(1, 2 if kind & HAS_CHANNEL else argc):
            if not selector.allows_channel(argv[i].ptr, argv[i].size, kind & HAS_PATTERNS != 0):
                position[0] = i
                return DENIED_CHANNEL
    return ALLOWED


cdef bint allows_databases(Client c, Selector selector, int kind, Arg* argv, int argc, int* position) except -1:
    position[0] = denied_name(c, selector, kind, argv, argc)
    if position[0]:
        return False
    if kind & USES_ALL:
        return False                    # who is limited to some has not all, were they as many as there are
    return not kind & USES_DATABASE or selector.allows_database(c.db.index)


cdef int denied_name(Client c, Selector selector, int kind, Arg* argv, int argc) except -1:
    """The place of the first argument that names a database which is not allowed; 0: there is none.

    If one of them is no database at all, that is the command's own error, and none of them matters.
    """
    cdef int64_t db
    cdef int denied = 0
    cdef int i = 3 if kind & NAMES_AFTER_DB else 2 if kind & NAMES_ONE and argc > 2 else 1
    cdef int end = argc if kind & NAMES_AFTER_DB else i + 1 if kind & NAMES_ONE else 3 if kind & NAMES_TWO else 0

    while i < end:
        if kind & NAMES_AFTER_DB:
            i += 1
            if i >= end or not arg_is(&argv[i - 1], b"DB"):
                continue
        if not parse_int64(argv[i].ptr, argv[i].size, &db) or not 0 <= db < len(c.engine.databases):
            return 0
        if not denied and not selector.allows_database(<int>db):
            denied = i
        i += 1
    return denied


cdef int check_access(Client c, Command command, int context, int* position) except -1:
    cdef int denial = find_denial(c, c.user, command, c.argv, c.argc, position)

    if denial != ALLOWED:
        c.engine.users.denied(c, denial, context, object_of(c, command, denial, position[0]))
    return denial


cdef bytes object_of(Client c, Command command, int denial, int position):
    """What the log says was denied: the command's name, the key, the channel, the database that an argument names."""
    return command.name if denial == DENIED_COMMAND or position == 0 else arg_bytes(&c.argv[position])


cdef bytes refusal_of(Client c, Command command):
    cdef int position = 0
    cdef void* before = c.command
    cdef int denial

    c.command = <void*>command          # what the log shows as the client's command
    denial = check_access(c, command, FROM_MULTI if c.flags & C_MULTI else FROM_CLIENT, &position)
    if denial == ALLOWED:
        c.command = before
        return None
    return b"NOPERM " + denial_text(denial, c.user, command, b"", False)


cdef bint may_read_all_keys(Client c) except -1:
    cdef Selector selector
    cdef User one
    cdef int position

    if not c.user.limited:
        return True
    for selector in c.user.selectors:
        if selector.allows_all_keys(MAY_READ):
            one = User.__new__(User)
            one.name, one.selectors, one.limited = c.user.name, (selector,), True
            if find_denial(c, one, <Command>c.command, c.argv, c.argc, &position) == ALLOWED:
                return True
    return False


cdef bytes denial_text(int denial, User user, Command command, bytes argument, bint in_detail):
    """in_detail: with the key or the channel, for those who may know it."""
    cdef bytes whose = b"User " + user.name + b" has no permissions to "

    if denial == DENIED_COMMAND:
        return whose + b"run the '" + command.name + b"' command"
    if denial == DENIED_DATABASE:
        return whose + b"access database " + argument if in_detail else b"No permissions to access database"
    if denial == DENIED_KEY:
        return whose + b"access the '" + argument + b"' key" if in_detail else b"No permissions to access a key"
    return whose + b"access the '" + argument + b"' channel" if in_detail else b"No permissions to access a channel"


cdef bint allows_channel(User user, bytes name, bint is_pattern) except -1:
    cdef Selector selector

    if not user.limited:
        return True
    for selector in user.selectors:
        if selector.allows_channel(name, len(name), is_pattern):
            return True
    return False


def dry_run(Client c not None, User user not None, Command command not None, int first):
    """What ACL DRYRUN says of the request in a client's argv from `first` on; None: it is allowed."""
    cdef int position = 0
    cdef int denial = find_denial(c, user, command, c.argv + first, c.argc - first, &position)

    if denial == ALLOWED:
        return None
    return denial_text(denial, user, command, arg_bytes(&c.argv[first + position]), True)


def may_subscribe(User user not None, Client c not None):
    """Whether a user may have all the subscriptions that a client has."""
    cdef bytes name

    for names, is_pattern in ((c.channels, False), (c.patterns, True), (c.shard_channels, False)):
        for name in names or ():
            if not allows_channel(user, name, is_pattern):
                return False
    return True
