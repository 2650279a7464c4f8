"""List commands that move elements to another list, take from one of several, or wait for elements."""
from libc.stdint cimport INT64_MAX, int64_t
from libc.string cimport memcpy

from fastredis._resp cimport arg_bytes, arg_hash
from fastredis.commands.lists cimport (
    Arg, Client, Entry, LpItem, new_list, push_event, reply_elements, reply_item, reply_popped, tell_popped,
)
from fastredis.ds.alloc cimport SMALL, Account, mem_alloc, mem_free
from fastredis.ds.listpack cimport lp_text
from fastredis.ds.numbers cimport INT64_TEXT
from fastredis.ds.quicklist cimport QlIter, ql_item, ql_iter_end, ql_next
from fastredis.engine.blocking cimport NULL_ARRAY, block_on_keys
from fastredis.engine.command cimport native
from fastredis.engine.core cimport NOTIFY_LIST
from fastredis.engine.engine cimport C_DENY_BLOCKING
from fastredis.engine.errors cimport ERR_COUNT_LOW, ERR_NUMKEYS_LOW, ERR_SYNTAX
from fastredis.engine.flags cimport BLOCKING, DENYOOM, WRITE
from fastredis.engine.options cimport (
    ALL_OPTIONS, OPT_INT_ONCE, Option, Options, arg_is, get_range_or_reply, get_seconds_or_reply, option_number,
    parse_options_or_reply,
)
from fastredis.values.entry cimport TYPE_LIST
from fastredis.values.list_type cimport (
    LIST_HEAD, LIST_TAIL, list_at_end, list_count, list_drop, list_iter, list_new, list_prepare, list_push,
)
from fastredis.values.value cimport entry_free

from fastredis.engine.command import declarer
from fastredis.engine.declarations import key_at, key_count, key_range

declare = declarer("list")

MOVED_KEYS = (key_at(1, "RW access delete"), key_at(2, "RW insert"))

cdef enum:
    MPOP_COUNT = 1

cdef Option[2] MPOP_OPTIONS = [
    Option(b"COUNT", OPT_INT_ONCE, MPOP_COUNT, 0, read_count_or_reply),
    Option(NULL, OPT_INT_ONCE, 0, 0, NULL),
]

# What LMOVEM moves.
cdef struct HowMany:
    int64_t count
    bint exactly                    # that many or none
    bint one_by_one                 # else as a block that keeps its order


# --- shared pieces -----------------------------------------------------------------------

cdef bint end_or_reply(Client c, int64_t index, int* where) except -1:
    """LEFT or RIGHT."""
    if arg_is(&c.argv[index], b"LEFT"):
        where[0] = LIST_HEAD
    elif arg_is(&c.argv[index], b"RIGHT"):
        where[0] = LIST_TAIL
    else:
        c.error(ERR_SYNTAX)
        return False
    return True


cdef bint ends_or_reply(Client c, int* source_end, int* target_end) except -1:
    """The two ends of LMOVE and its kin, argv[3] and argv[4]."""
    return end_or_reply(c, 3, source_end) and end_or_reply(c, 4, target_end)


cdef int wait_for_source(Client c, int64_t deadline_ms) except -1:
    """BLMOVE and BRPOPLPUSH: the source is not there."""
    # Redis replies a null here, but a null array when the time is over.
    if c.flags & C_DENY_BLOCKING:
        return c.reply_null()
    return block_on_keys(c, 1, 1, 1, TYPE_LIST, deadline_ms, NULL_ARRAY)


# --- one element from list to list ----------------------------------------------------------

cdef int push_moved(Client c, Entry* target, int where, const LpItem* item) except -1:
    """Add the element that is moved to the list argv[2], NULL: there is none yet; and reply it."""
    cdef char[INT64_TEXT] scratch
    cdef Arg* key = &c.argv[2]
    cdef Arg element

    element.ptr = lp_text(item, scratch, &element.size)
    if target is NULL:
        new_list(c, key, &element, 1, where)
    else:
        # As in Redis, the digits of an integer do not count.
        list_prepare(&c.core.memory, &c.core.limits, target, element.size if item.text is not NULL else 0, 1)
        list_push(&c.core.memory, &c.core.limits, target, where, element.ptr, element.size)
    c.modified(key, NOTIFY_LIST, push_event(where), 0)      # the whole move is one change
    return c.reply_bulk(element.ptr, element.size)


cdef int rotate(Client c, Entry* e, int source_end, int target_end, LpItem* item) except -1:
    """Move an element within one list: it is taken out first, so it has to be copied."""
    cdef Account* account = &c.core.memory
    cdef char[SMALL] small
    cdef char* copy = small

    if item.text is not NULL:
        if item.size > SMALL:
            copy = <char*>mem_alloc(account, item.size)
        memcpy(copy, item.text, item.size)
        item.text = copy
    try:
        list_drop(account, &c.core.limits, e, source_end, 1)
        push_moved(c, e, target_end, item)
    finally:
        if copy != small:
            mem_free(account, copy, item.size)
    return 0


cdef bint move_one_or_reply(Client c, Entry* source, int source_end, int target_end) except -1:
    """Move an element of the list argv[1] to the list argv[2] and reply it; its key may go. False: argv[2] is none."""
    cdef Entry* target = c.db.lookup_write(&c.argv[2])
    cdef LpItem item

    if not c.has_type(target, TYPE_LIST):
        return False
    list_at_end(source, source_end, &item)
    if target == source:
        rotate(c, source, source_end, target_end, &item)
    else:
        push_moved(c, target, target_end, &item)
        list_drop(&c.core.memory, &c.core.limits, source, source_end, 1)
    tell_popped(c, &c.argv[1], source, source_end, 1)
    return True


cdef int cmd_lmove(Client c) except -1:
    """LMOVE source destination LEFT|RIGHT LEFT|RIGHT -> the element moved, or null if there is no source.

    Errors: syntax, WRONGTYPE. Source: https://redis.io/commands/lmove
    """
    cdef int source_end, target_end
    cdef Entry* source

    if not ends_or_reply(c, &source_end, &target_end):
        return 0
    source = c.db.lookup_write(&c.argv[1])
    if not c.has_type(source, TYPE_LIST):
        return 0
    if source is NULL:
        return c.reply_null()
    move_one_or_reply(c, source, source_end, target_end)
    return 0

declare(
    b"lmove", native(cmd_lmove), arity=5, flags=WRITE | DENYOOM, keys=MOVED_KEYS, since="6.2.0",
    complexity="O(1)",
    summary="Moves an element from an end of a list to an end of another and returns it.",
    args="source:key destination:key wherefrom=(LEFT | RIGHT) whereto=(LEFT | RIGHT)",
)


cdef int cmd_rpoplpush(Client c) except -1:
    """RPOPLPUSH source destination -> the element moved, or null if there is no source.

    Errors: WRONGTYPE. Source: https://redis.io/commands/rpoplpush
    """
    cdef Entry* source = c.db.lookup_write(&c.argv[1])

    if not c.has_type(source, TYPE_LIST):
        return 0
    if source is NULL:
        return c.reply_null()
    move_one_or_reply(c, source, LIST_TAIL, LIST_HEAD)
    return 0

declare(
    b"rpoplpush", native(cmd_rpoplpush), arity=3, flags=WRITE | DENYOOM, keys=MOVED_KEYS, since="1.2.0",
    complexity="O(1)",
    summary="Moves the last element of a list to the front of another and returns it.",
    args="source:key destination:key",
    doc_flags=("deprecated",), deprecated_since="6.2.0", replaced_by="`LMOVE` with `RIGHT` and `LEFT`",
)


cdef int cmd_blmove(Client c) except -1:
    """BLMOVE source destination LEFT|RIGHT LEFT|RIGHT timeout -> the element moved, or null after the time.

    timeout: seconds, 0: for ever. Errors: syntax, timeout, WRONGTYPE. Source: https://redis.io/commands/blmove
    """
    cdef int source_end, target_end
    cdef int64_t deadline_ms
    cdef Entry* source

    if not ends_or_reply(c, &source_end, &target_end) or not get_seconds_or_reply(c, 5, &deadline_ms):
        return 0
    source = c.db.lookup_write(&c.argv[1])
    if not c.has_type(source, TYPE_LIST):
        return 0
    if source is NULL:
        return wait_for_source(c, deadline_ms)
    if move_one_or_reply(c, source, source_end, target_end) and c.propagates():
        c.effect([b"LMOVE", *[arg_bytes(&c.argv[i]) for i in range(1, 5)]])
    return 0

declare(
    b"blmove", native(cmd_blmove), arity=6, flags=WRITE | DENYOOM | BLOCKING, keys=MOVED_KEYS, since="6.2.0",
    complexity="O(1)",
    summary="Moves an element from an end of a list to an end of another and returns it; waits for it.",
    args="source:key destination:key wherefrom=(LEFT | RIGHT) whereto=(LEFT | RIGHT) timeout:double",
)


cdef int cmd_brpoplpush(Client c) except -1:
    """BRPOPLPUSH source destination timeout -> the element moved, or null after the time.

    timeout: seconds, 0: for ever. Errors: timeout, WRONGTYPE. Source: https://redis.io/commands/brpoplpush
    """
    cdef int64_t deadline_ms
    cdef Entry* source

    if not get_seconds_or_reply(c, 3, &deadline_ms):
        return 0
    source = c.db.lookup_write(&c.argv[1])
    if not c.has_type(source, TYPE_LIST):
        return 0
    if source is NULL:
        return wait_for_source(c, deadline_ms)
    if move_one_or_reply(c, source, LIST_TAIL, LIST_HEAD) and c.propagates():
        c.effect([b"RPOPLPUSH", arg_bytes(&c.argv[1]), arg_bytes(&c.argv[2])])
    return 0

declare(
    b"brpoplpush", native(cmd_brpoplpush), arity=4, flags=WRITE | DENYOOM | BLOCKING, keys=MOVED_KEYS, since="2.2.0",
    complexity="O(1)",
    summary="Moves the last element of a list to the front of another and returns it; waits for it.",
    args="source:key destination:key timeout:double",
    doc_flags=("deprecated",), deprecated_since="6.2.0", replaced_by="`BLMOVE` with `RIGHT` and `LEFT`",
)


# --- several elements from list to list -------------------------------------------------------

cdef bint how_many_or_reply(Client c, int first, HowMany* how) except -1:
    """[COUNT n | EXACTLY n  OBO | BULK] from argv[first] to the end; nothing: one element."""
    how.count = 1
    how.exactly = False
    how.one_by_one = True
    if c.argc == first:
        return True
    how.exactly = c.argc > first and arg_is(&c.argv[first], b"EXACTLY")
    how.one_by_one = c.argc == first + 3 and arg_is(&c.argv[first + 2], b"OBO")
    if c.argc != first + 3 or not (how.exactly or arg_is(&c.argv[first], b"COUNT")) or not (
            how.one_by_one or arg_is(&c.argv[first + 2], b"BULK")):
        c.error(ERR_SYNTAX)
        return False
    return get_range_or_reply(c, first + 1, 1, INT64_MAX, &how.count, ERR_COUNT_LOW)


cdef int copy_elements(Client c, Entry* source, int64_t start, int64_t count, bint backward, Entry* target,
                       int where) except -1:
    """Add `count` elements of a list, from an index on, one by one to an end of another list."""
    cdef Account* account = &c.core.memory
    cdef char[INT64_TEXT] scratch
    cdef QlIter it
    cdef LpItem item
    cdef const char* text
    cdef size_t size
    cdef int64_t left = count

    list_iter(account, source, start, backward, &it)
    try:
        while left:
            ql_item(&it, &item)
            text = lp_text(&item, scratch, &size)
            list_prepare(account, &c.core.limits, target, size, 1)
            list_push(account, &c.core.limits, target, where, text, size)
            left -= 1
            if left:
                ql_next(&it)
    finally:
        ql_iter_end(&it)
    return 0


cdef int put_block(Client c, Entry* source, int source_end, Entry* target, int target_end, const HowMany* how,
                   int64_t count) except -1:
    """Add the `count` elements at an end of `source` to an end of `target`, which is another list.

    Taken one by one, they arrive as they are taken. A block has to arrive in its own order: at the head that
    means to begin with its last element, at the tail with its first.
    """
    cdef bint backward = source_end == LIST_TAIL if how.one_by_one else target_end == LIST_HEAD
    cdef int64_t first = 0 if source_end == LIST_HEAD else <int64_t>list_count(source) - count

    return copy_elements(c, source, first + count - 1 if backward else first, count, backward, target, target_end)


cdef int put_within(Client c, Entry* e, int source_end, int target_end, const HowMany* how, int64_t count) except -1:
    """The same within one list: all are taken out before the first is put back."""
    cdef Account* account = &c.core.memory
    cdef Entry* block = list_new(account, b"", 0)

    try:
        copy_elements(c, e, 0 if source_end == LIST_HEAD else <int64_t>list_count(e) - count, count, False, block,
                      LIST_TAIL)
        list_drop(account, &c.core.limits, e, source_end, count)
        put_block(c, block, source_end, e, target_end, how, count)
    finally:
        entry_free(account, block)
    return 0


cdef Entry* put_new(Client c, Entry* source, int source_end, int target_end, const HowMany* how,
                    int64_t count) except NULL:
    """The same to a list argv[2] that is not there yet."""
    cdef Entry* target = list_new(&c.core.memory, c.argv[2].ptr, c.argv[2].size)

    put_block(c, source, source_end, target, target_end, how, count)
    c.db.add(target, arg_hash(&c.argv[2]))
    return target


cdef bint move_many_or_reply(Client c, Entry* source, int source_end, int target_end, const HowMany* how) except -1:
    """Move elements of the list argv[1] to the list argv[2], reply them as they are there; the first key may go.

    False: argv[2] is no list.
    """
    cdef Entry* target = c.db.lookup_write(&c.argv[2])
    cdef int64_t count = min(how.count, <int64_t>list_count(source))

    if not c.has_type(target, TYPE_LIST):
        return False
    if target == source:
        put_within(c, source, source_end, target_end, how, count)
    else:
        if target is NULL:
            target = put_new(c, source, source_end, target_end, how, count)
        else:
            put_block(c, source, source_end, target, target_end, how, count)
        list_drop(&c.core.memory, &c.core.limits, source, source_end, count)
    c.modified(&c.argv[2], NOTIFY_LIST, push_event(target_end), 0)      # the whole move is one change
    c.reply_array(count)
    reply_elements(c, target, 0 if target_end == LIST_HEAD else <int64_t>list_count(target) - count, count, False)
    tell_popped(c, &c.argv[1], source, source_end, count)
    return True


cdef int cmd_lmovem(Client c) except -1:
    """LMOVEM source destination LEFT|RIGHT LEFT|RIGHT [COUNT|EXACTLY n OBO|BULK] -> array of the elements moved.

    They come as they are in the destination: OBO moves one by one, BULK keeps their order. Without a source the
    array is empty; EXACTLY replies a null when there are less.
    Errors: syntax, n is not from 1 on, WRONGTYPE. O(n) elements moved. Source: https://redis.io/commands/lmovem
    """
    cdef int source_end, target_end
    cdef HowMany how
    cdef Entry* source

    if not ends_or_reply(c, &source_end, &target_end) or not how_many_or_reply(c, 5, &how):
        return 0
    source = c.db.lookup_write(&c.argv[1])
    if not c.has_type(source, TYPE_LIST):
        return 0
    if how.exactly and (source is NULL or <int64_t>list_count(source) < how.count):
        return c.reply_null_array()
    if source is NULL:
        return c.reply_array(0)
    move_many_or_reply(c, source, source_end, target_end, &how)
    return 0

declare(
    b"lmovem", native(cmd_lmovem), arity=-5, flags=WRITE | DENYOOM, keys=MOVED_KEYS, since="8.10.0",
    complexity="O(N) for N elements moved",
    summary="Moves several elements from an end of a list to an end of another and returns them.",
    args=(
        "source:key destination:key wherefrom=(LEFT | RIGHT) whereto=(LEFT | RIGHT)"
        " [how-many={selector=(COUNT count:integer | EXACTLY exactly:integer) ordering=(OBO | BULK)}]"
    ),
)


cdef int cmd_blmovem(Client c) except -1:
    """BLMOVEM source destination LEFT|RIGHT LEFT|RIGHT timeout [COUNT|EXACTLY n OBO|BULK] -> as LMOVEM.

    Waits for a source; with EXACTLY, for one that has as many elements. A null after the time (seconds, 0: for ever).
    Errors: as LMOVEM, timeout. O(n) elements moved. Source: https://redis.io/commands/blmovem
    """
    cdef int source_end, target_end
    cdef HowMany how
    cdef int64_t deadline_ms
    cdef Entry* source

    if not ends_or_reply(c, &source_end, &target_end) or not get_seconds_or_reply(c, 5, &deadline_ms) or (
            not how_many_or_reply(c, 6, &how)):
        return 0
    source = c.db.lookup_write(&c.argv[1])
    if not c.has_type(source, TYPE_LIST):
        return 0
    if source is NULL or (how.exactly and <int64_t>list_count(source) < how.count):
        return block_on_keys(c, 1, 1, 1, TYPE_LIST, deadline_ms, NULL_ARRAY)
    if move_many_or_reply(c, source, source_end, target_end, &how) and c.propagates():
        c.effect([b"LMOVEM", *[arg_bytes(&c.argv[i]) for i in range(1, c.argc) if i != 5]])
    return 0

declare(
    b"blmovem", native(cmd_blmovem), arity=-6, flags=WRITE | DENYOOM | BLOCKING, keys=MOVED_KEYS, since="8.10.0",
    complexity="O(N) for N elements moved",
    summary="Moves several elements from an end of a list to an end of another and returns them; waits for them.",
    args=(
        "source:key destination:key wherefrom=(LEFT | RIGHT) whereto=(LEFT | RIGHT) timeout:double"
        " [how-many={selector=(COUNT count:integer | EXACTLY exactly:integer) ordering=(OBO | BULK)}]"
    ),
)


# --- from the first of several lists ----------------------------------------------------------

cdef int first_list(Client c, int first, int64_t count, Entry** e) except -2:
    """Index in argv of the first of `count` keys that is there, 0: none is; -1: it is no list, which is replied."""
    cdef int64_t i

    for i in range(count):
        e[0] = c.db.lookup_write(&c.argv[first + i])
        if e[0] is not NULL:
            return <int>(first + i) if c.has_type(e[0], TYPE_LIST) else -1
    return 0


cdef bytes pop_name(int where):
    return b"LPOP" if where == LIST_HEAD else b"RPOP"


cdef int blocking_pop(Client c, int where) except -1:
    """BLPOP and BRPOP."""
    cdef Entry* e = NULL
    cdef LpItem item
    cdef int64_t deadline_ms
    cdef int at
    cdef Arg* key

    if not get_seconds_or_reply(c, c.argc - 1, &deadline_ms):
        return 0
    at = first_list(c, 1, c.argc - 2, &e)
    if at <= 0:
        return block_on_keys(c, 1, c.argc - 2, 1, TYPE_LIST, deadline_ms, NULL_ARRAY) if at == 0 else 0
    key = &c.argv[at]
    list_at_end(e, where, &item)
    c.reply_array(2)
    c.reply_bulk(key.ptr, key.size)
    reply_item(c, &item)
    list_drop(&c.core.memory, &c.core.limits, e, where, 1)
    tell_popped(c, key, e, where, 1)
    if c.propagates():
        c.effect([pop_name(where), arg_bytes(key)])
    return 0


cdef int cmd_blpop(Client c) except -1:
    """BLPOP key [key ...] timeout -> [key, its first element] of the first list that has one, or null after the time.

    timeout: seconds, 0: for ever. Errors: timeout, WRONGTYPE. Source: https://redis.io/commands/blpop
    """
    return blocking_pop(c, LIST_HEAD)

declare(
    b"blpop", native(cmd_blpop), arity=-3, flags=WRITE | BLOCKING, keys=key_range(1, -2, 1, "RW access delete"),
    since="2.0.0",
    complexity="O(N) for N keys",
    summary="Takes the first element of the first list that has one, waits for it, and returns both.",
    args="key... timeout:double",
)


cdef int cmd_brpop(Client c) except -1:
    """BRPOP key [key ...] timeout -> [key, its last element] of the first list that has one, or null after the time.

    timeout: seconds, 0: for ever. Errors: timeout, WRONGTYPE. Source: https://redis.io/commands/brpop
    """
    return blocking_pop(c, LIST_TAIL)

declare(
    b"brpop", native(cmd_brpop), arity=-3, flags=WRITE | BLOCKING, keys=key_range(1, -2, 1, "RW access delete"),
    since="2.0.0",
    complexity="O(N) for N keys",
    summary="Takes the last element of the first list that has one, waits for it, and returns both.",
    args="key... timeout:double",
)


cdef bint read_count_or_reply(Client c, int index, int64_t* count) except -1:
    return get_range_or_reply(c, index, 1, INT64_MAX, count, ERR_COUNT_LOW)


cdef bint mpop_args_or_reply(Client c, int at, int64_t* keys, int* where, int64_t* count) except -1:
    """numkeys key ... LEFT|RIGHT [COUNT n] from argv[at] on."""
    cdef Options given
    cdef int end

    if not get_range_or_reply(c, at, 1, INT64_MAX, keys, ERR_NUMKEYS_LOW):
        return False
    if keys[0] >= c.argc - at - 1:
        c.error(ERR_SYNTAX)
        return False
    end = at + 1 + <int>keys[0]
    if not end_or_reply(c, end, where):
        return False
    if not parse_options_or_reply(c, end + 1, MPOP_OPTIONS, ALL_OPTIONS, &given):
        return False
    count[0] = option_number(&given, MPOP_COUNT) or 1
    return True


cdef int reply_mpop(Client c, int at, Entry* e, int where, int64_t count) except -1:
    """Reply the key argv[at] and up to `count` elements that are taken from its list."""
    cdef Arg* key = &c.argv[at]

    count = min(count, <int64_t>list_count(e))
    c.reply_array(2)
    c.reply_bulk(key.ptr, key.size)
    reply_popped(c, key, e, where, count)
    if c.propagates():
        c.effect([pop_name(where), arg_bytes(key), b"%d" % count])
    return 0


cdef int cmd_lmpop(Client c) except -1:
    """LMPOP numkeys key [key ...] LEFT|RIGHT [COUNT n] -> [key, [element, ...]] of the first list there is, or null.

    Errors: numkeys, syntax, count, WRONGTYPE. O(numkeys and elements). Source: https://redis.io/commands/lmpop
    """
    cdef Entry* e = NULL
    cdef int64_t keys, count
    cdef int where, at

    if not mpop_args_or_reply(c, 1, &keys, &where, &count):
        return 0
    at = first_list(c, 2, keys, &e)
    if at <= 0:
        return c.reply_null_array() if at == 0 else 0
    return reply_mpop(c, at, e, where, count)

declare(
    b"lmpop", native(cmd_lmpop), arity=-4, flags=WRITE, keys=key_count(1, "RW access delete"), since="7.0.0",
    complexity="O(N+M) for N keys and M elements taken",
    summary="Takes elements off an end of the first list that has some and returns them with its key.",
    args="numkeys:integer key... where=(LEFT | RIGHT) [COUNT count:integer]",
)


cdef int cmd_blmpop(Client c) except -1:
    """BLMPOP timeout numkeys key [key ...] LEFT|RIGHT [COUNT n] -> as LMPOP, null only after the time.

    timeout: seconds, 0: for ever. Errors: as LMPOP, timeout. Source: https://redis.io/commands/blmpop
    """
    cdef Entry* e = NULL
    cdef int64_t keys, count, deadline_ms
    cdef int where, at

    if not mpop_args_or_reply(c, 2, &keys, &where, &count) or not get_seconds_or_reply(c, 1, &deadline_ms):
        return 0
    at = first_list(c, 3, keys, &e)
    if at <= 0:
        return block_on_keys(c, 3, keys, 1, TYPE_LIST, deadline_ms, NULL_ARRAY) if at == 0 else 0
    return reply_mpop(c, at, e, where, count)

declare(
    b"blmpop", native(cmd_blmpop), arity=-5, flags=WRITE | BLOCKING, keys=key_count(2, "RW access delete"),
    since="7.0.0",
    complexity="O(N+M) for N keys and M elements taken",
    summary="Takes elements off an end of the first list that has some, waits for one, and returns them with its key.",
    args="timeout:double numkeys:integer key... where=(LEFT | RIGHT) [COUNT count:integer]",
)
