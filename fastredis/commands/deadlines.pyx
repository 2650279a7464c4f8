"""What commands on deadlines of hash fields and of set members share. The design comment is in deadlines.pxd."""
from libc.stdint cimport INT32_MAX

from fastredis._resp cimport arg_bytes
from fastredis.engine.command cimport Command
from fastredis.engine.core cimport NOTIFY_HASH, NOTIFY_SET
from fastredis.engine.errors cimport (
    ERR_EXPIRE_NEGATIVE, ERR_FIELDS_MISSING, ERR_FXX_FNX, ERR_MEMBERS_MISSING, ERR_MXX_MNX, ERR_NO_EXPIRE_TIME,
    ERR_NUMFIELDS_BAD, ERR_NUMFIELDS_INVALID, ERR_NUMFIELDS_OTHER, ERR_NUMFIELDS_ZERO, ERR_NUMMEMBERS_BAD,
    ERR_NUMMEMBERS_INVALID, ERR_NUMMEMBERS_OTHER, ERR_NUMMEMBERS_ZERO, ERR_ONE_EXPIRATION, arity_error, expire_error,
)
from fastredis.engine.options cimport arg_is, get_int_or_reply, get_range_or_reply
from fastredis.values.entry cimport TYPE_HASH, TYPE_SET, entry_type
from fastredis.values.hash_ttl cimport hash_set_when
from fastredis.values.hash_type cimport FieldValue, hash_delete, hash_get
from fastredis.values.set_type cimport set_get_when, set_hiding, set_remove, set_set_when
from fastredis.values.timed cimport DEADLINE_BITS
from fastredis.values.value cimport entry_timed

FIELD_PARTS = Parts(
    TYPE_HASH, NOTIFY_HASH, b"FIELDS", b"HDEL", b"hdel", b"HPEXPIREAT", b"hexpire", b"HPERSIST", b"hpersist",
    ERR_FIELDS_MISSING, ERR_NUMFIELDS_ZERO, ERR_NUMFIELDS_BAD, ERR_NUMFIELDS_INVALID, ERR_NUMFIELDS_OTHER, ERR_FXX_FNX)
MEMBER_PARTS = Parts(
    TYPE_SET, NOTIFY_SET, b"MEMBERS", b"SREM", b"srem", b"SPEXPIREAT", b"sexpire", b"SPERSIST", b"spersist",
    ERR_MEMBERS_MISSING, ERR_NUMMEMBERS_ZERO, ERR_NUMMEMBERS_BAD, ERR_NUMMEMBERS_INVALID, ERR_NUMMEMBERS_OTHER,
    ERR_MXX_MNX)

cdef Word[5] CONDITIONS = [Word(b"NX", IF_NX), Word(b"XX", IF_XX), Word(b"GT", IF_GT), Word(b"LT", IF_LT),
                           Word(NULL, 0)]


# ---------------------------------------------------------------- arguments

cdef int wrong_arity(Client c) except -1:
    """Reply that arguments are missing, or too many, where the declared arity does not tell."""
    return c.error_text(arity_error((<Command>c.command).name))


cdef int word_flags(const Arg* a, const Word* known) noexcept:
    """What a word of an option stands for; 0: it is none of these."""
    while known.token is not NULL:
        if arg_is(a, known.token):
            return known.flags
        known += 1
    return 0


cdef bint names_or_reply(Client c, const Parts* parts, int at, const char* bad_number) except -1:
    """argv[at..] is FIELDS or MEMBERS, a number, and so many names."""
    cdef int64_t count

    if at >= c.argc or not arg_is(&c.argv[at], parts.names):
        c.error(parts.error_missing)
    elif at + 1 == c.argc:
        wrong_arity(c)
    elif get_range_or_reply(c, at + 1, 1, INT64_MAX, &count, bad_number):
        if count == c.argc - at - 2:
            return True
        c.error(parts.error_other)
    return False


cdef bint deadline_or_reply(Client c, int index, int unit, int64_t* when_ms) except -1:
    """argv[index] as a deadline, ms since the epoch. unit: IN_SECONDS and FROM_EPOCH bits."""
    cdef int64_t amount
    cdef int64_t scale = 1000 if unit & IN_SECONDS else 1
    cdef int64_t base_ms = 0 if unit & FROM_EPOCH else c.core.now_ms
    cdef int64_t last_ms = (<int64_t>1 << DEADLINE_BITS) - 1

    if not get_int_or_reply(c, index, &amount):
        return False
    if amount < 0:
        c.error(ERR_EXPIRE_NEGATIVE)
        return False
    if amount > last_ms // scale or amount * scale > last_ms - base_ms:
        c.error_text(expire_error((<Command>c.command).name))
        return False
    when_ms[0] = max(base_ms + amount * scale, 1)       # 0 would be no deadline
    return True


cdef bint parts_or_reply(Client c, const Parts* parts, int at, int each, SetOptions* given) except -1:
    """argv[at..] is FIELDS or MEMBERS, a number, and so many parts, of `each` arguments."""
    cdef int64_t count

    if at >= c.argc - 1 - each:
        wrong_arity(c)
        return False
    if not get_range_or_reply(c, at + 1, 1, INT32_MAX, &count, parts.error_invalid):
        return False
    if count * each != c.argc - at - 2:
        wrong_arity(c)
        return False
    given.first = at + 2
    return True


cdef bint set_options_or_reply(Client c, const Parts* parts, const Word* words, int each, SetOptions* given) except -1:
    """Read argv[2..] of HSETEX or SADDEX. Each kind of option may come once; FIELDS or MEMBERS is the last."""
    cdef int flags
    cdef int i = 2

    given.flags = given.expiration = 0
    given.when_ms = NO_DEADLINE
    while i < c.argc:
        flags = word_flags(&c.argv[i], words)
        if flags & NAMES:
            return parts_or_reply(c, parts, i, each, given)
        if flags == 0:
            c.error_text(b"ERR unknown argument: " + arg_bytes(&c.argv[i]).partition(b"\0")[0])
            return False
        if flags & (IF_NONE | IF_ALL) and given.flags & (IF_NONE | IF_ALL):
            c.error(parts.error_conditions)
            return False
        if flags & (EXPIRATION | KEEPTTL) and given.flags & (EXPIRATION | KEEPTTL):
            c.error(ERR_ONE_EXPIRATION)
            return False
        given.flags |= flags
        if flags & EXPIRATION:
            given.expiration = i
            i += 1
            if i == c.argc:
                c.error(ERR_NO_EXPIRE_TIME)
                return False
            if not deadline_or_reply(c, i, flags, &given.when_ms):
                return False
        i += 1
    c.error(parts.error_missing)
    return False


# ---------------------------------------------------------------- a part

cdef bint has_passed(Client c, int64_t when_ms) noexcept:
    """Whether a part with that deadline is deleted at once."""
    return when_ms <= c.core.now_ms and c.core.expire_on_access and not c.core.gate & GATE_LOADING


cdef bint find_part(const Entry* e, const Arg* name, int64_t* when_ms) noexcept:
    """Look a part up, due or not, for its deadline; False: it is not there."""
    cdef FieldValue found

    if entry_type(e) == TYPE_SET:
        return set_get_when(e, name.ptr, name.size, name.hash, when_ms)
    if not hash_get(e, name.ptr, name.size, name.hash, &found):
        return False
    when_ms[0] = found.when_ms
    return True


cdef bint delete_part(Client c, Entry* e, Arg* name) except -1:
    if entry_type(e) == TYPE_SET:
        return set_remove(&c.core.memory, e, name.ptr, name.size, name.hash)
    return hash_delete(&c.core.memory, e, name.ptr, name.size, name.hash)


cdef int set_when(Client c, Entry* e, Arg* name, int64_t when_ms) except -1:
    if entry_type(e) == TYPE_SET:
        return set_set_when(&c.core.memory, e, name.ptr, name.size, name.hash, when_ms)
    return hash_set_when(&c.core.memory, &c.core.limits, e, name.ptr, name.size, name.hash, when_ms)


cdef int changed(Client c, const Parts* parts, Entry* e, int count, const char* event) except -1:
    if entry_timed(e) is not NULL:
        c.db.track_parts(e)
    c.modified(&c.argv[1], parts.event_class, event, count)
    return c.drop_empty(&c.argv[1], e)


cdef int expire_effect(Client c, const Parts* parts, int64_t when_ms, list condition, list names) except -1:
    """What is propagated for parts that got a deadline, or, as it has passed, were deleted."""
    if names is None:
        return 0
    if has_passed(c, when_ms):
        return c.effect([<bytes>parts.delete_command, arg_bytes(&c.argv[1]), *names])
    return c.effect([<bytes>parts.expire_command, arg_bytes(&c.argv[1]), b"%d" % when_ms, *condition,
                     <bytes>parts.names, b"%d" % len(names), *names])


cdef bint allowed(int64_t old_ms, int64_t when_ms, int condition) noexcept:
    """Whether the condition lets a part with this deadline have that one."""
    if old_ms == NO_DEADLINE:
        return not condition & (IF_XX | IF_GT)
    if condition & IF_NX or (condition & IF_GT and when_ms <= old_ms):
        return False
    return not (condition & IF_LT and when_ms >= old_ms)


cdef int expire_part(Client c, Entry* e, Arg* name, int64_t when_ms, int condition) except -3:
    """Give a part a deadline; returns what is replied for it."""
    cdef int64_t old_ms

    if e is NULL or not find_part(e, name, &old_ms) or is_due(c, old_ms):
        return NO_PART
    if not allowed(old_ms, when_ms, condition):
        return REFUSED
    if has_passed(c, when_ms):
        delete_part(c, e, name)
        return DELETED
    set_when(c, e, name, when_ms)
    return DONE


cdef int persist_part(Client c, Entry* e, Arg* name) except -3:
    """Take a part's deadline away; returns what is replied for it."""
    cdef int64_t old_ms

    if e is NULL or not find_part(e, name, &old_ms) or is_due(c, old_ms):
        return NO_PART
    if old_ms == NO_DEADLINE:
        return NO_TTL
    set_when(c, e, name, NO_DEADLINE)
    return DONE


# ---------------------------------------------------------------- whole commands

cdef int expire_command(Client c, const Parts* parts, int unit) except -1:
    """All of HEXPIRE and its like. The type of the key is looked at before the other arguments, as in Redis."""
    cdef Entry* e = c.db.lookup_write(&c.argv[1])
    cdef list names = [] if c.propagates() else None
    cdef int64_t when_ms
    cdef int condition, outcome, first, i
    cdef int count = 0

    if not c.has_type(e, parts.kind) or not deadline_or_reply(c, 2, unit, &when_ms):
        return 0
    condition = word_flags(&c.argv[3], CONDITIONS)
    first = 6 if condition else 5
    if not names_or_reply(c, parts, first - 2, parts.error_none):
        return 0
    c.reply_array(c.argc - first)
    for i in range(first, c.argc):
        outcome = expire_part(c, e, &c.argv[i], when_ms, condition)
        c.reply_int(outcome)
        if outcome > 0:
            count += 1
            if names is not None:
                names.append(arg_bytes(&c.argv[i]))
    if count:
        expire_effect(c, parts, when_ms, [arg_bytes(&c.argv[3])] if condition else [], names)
        changed(c, parts, e, count, parts.delete_event if has_passed(c, when_ms) else parts.expire_event)
    return 0


cdef int64_t ttl_of(Client c, Entry* e, Arg* name, int unit) noexcept:
    """What HTTL and its like reply for a part. Seconds are rounded up."""
    cdef int64_t when_ms, ms

    if e is NULL or not find_part(e, name, &when_ms) or is_due(c, when_ms):
        return NO_PART
    if when_ms == NO_DEADLINE:
        return NO_TTL
    ms = when_ms if unit & FROM_EPOCH else when_ms - c.core.now_ms
    return (ms + 999) // 1000 if unit & IN_SECONDS else ms


cdef int ttl_command(Client c, const Parts* parts, int unit) except -1:
    """All of HTTL and its like."""
    cdef Entry* e = c.db.lookup_read(&c.argv[1])
    cdef int i

    if not c.has_type(e, parts.kind) or not names_or_reply(c, parts, 2, parts.error_number):
        return 0
    c.reply_array(c.argc - 4)
    for i in range(4, c.argc):
        c.reply_int(ttl_of(c, e, &c.argv[i], unit))
    return 0


cdef int persist_command(Client c, const Parts* parts) except -1:
    """All of HPERSIST and SPERSIST."""
    cdef Entry* e = c.db.lookup_write(&c.argv[1])
    cdef int count = 0
    cdef int outcome, i

    if not c.has_type(e, parts.kind) or not names_or_reply(c, parts, 2, parts.error_number):
        return 0
    c.reply_array(c.argc - 4)
    for i in range(4, c.argc):
        outcome = persist_part(c, e, &c.argv[i])
        c.reply_int(outcome)
        count += outcome == DONE
    return changed(c, parts, e, count, parts.persist_event) if count else 0


# ---------------------------------------------------------------- members of sets

cdef Entry* remove_due_members(Client c, Entry* e) except? NULL:
    """without_due() of a set whose members may have deadlines."""
    if c.core.expire_on_access and set_hiding(e, gone_ms(c)) is not NULL and c.db.expire_parts(e, INT64_MAX):
        return NULL
    return e
