"""Commands of geospatial indexes: sorted sets whose scores are positions (ds/geohash).

A search walks through the ranges of scores that its cells are, keeps what lies in its shape in one array, puts that
into order, and replies or stores it.
"""
from libc.stdint cimport INT32_MAX, UINT64_MAX, int64_t, uint64_t
from libc.stdlib cimport qsort
from libc.string cimport memcpy

from fastredis._resp cimport Arg
from fastredis.commands.sorted_sets cimport add_members, store_build
from fastredis.ds.alloc cimport mem_alloc, mem_free, mem_realloc
from fastredis.ds.btree cimport BtCursor, bt_member, bt_next, bt_score
from fastredis.ds.geohash cimport (
    GEO_BOX, GEO_CIRCLE, GEO_POLYGON, GEO_RANGES, GEO_TEXT, GeoRange, GeoShape, geo_centre, geo_distance,
    geo_position, geo_ranges, geo_score, geo_text, geo_valid, geo_within,
)
from fastredis.ds.listpack cimport lp_bytes
from fastredis.ds.numbers cimport (
    DOUBLE_TEXT, INT64_TEXT, LONG_DOUBLE_TEXT, format_long_double, parse_int64, print_double,
)
from fastredis.engine.client cimport Client
from fastredis.engine.command cimport native
from fastredis.engine.errors cimport (
    ERR_GEO_ANY, ERR_GEO_BOX, ERR_GEO_CORNERS, ERR_GEO_COUNT, ERR_GEO_FEW_CORNERS, ERR_GEO_HEIGHT, ERR_GEO_MEMBER,
    ERR_GEO_NEGATIVE, ERR_GEO_RADIUS, ERR_GEO_UNIT, ERR_GEO_WIDTH, ERR_NOT_FLOAT, ERR_SYNTAX,
)
from fastredis.engine.flags cimport DENYOOM, READONLY, WRITE
from fastredis.engine.keys cimport KEY_ACCESS, KEY_OW, KEY_RO, KEY_UPDATE, KeyList, key_add, key_finder
from fastredis.engine.options cimport (
    OPT_FLAG, Option, arg_is, get_double_or_reply, get_int_or_reply, leading_options,
)
from fastredis.values.entry cimport ENC_LISTPACK, TYPE_ZSET, Entry, entry_encoding
from fastredis.values.zset_type cimport (
    ZADD_NX, ZADD_XX, ScoreRange, ZsetBuild, ZsetIter, zset_block_text, zset_build_clear, zset_build_init,
    zset_build_put_new, zset_count, zset_from_score, zset_listpack, zset_next, zset_score, zset_seek_score,
)

from fastredis.engine.command import declarer
from fastredis.engine.declarations import key_after, key_at

declare = declarer("geo")

cdef enum:                              # what a search was given
    WITH_DISTANCE = 1 << 0
    WITH_SCORE = 1 << 1
    WITH_POSITION = 1 << 2
    FROM_MEMBER = 1 << 3
    FROM_POSITION = 1 << 4
    BY_RADIUS = 1 << 5
    BY_BOX = 1 << 6
    BY_POLYGON = 1 << 7
    ANY = 1 << 8
    ASCENDING = 1 << 9
    DESCENDING = 1 << 10
    DISTANCES = 1 << 11                 # are what is stored
    WITH = WITH_DISTANCE | WITH_SCORE | WITH_POSITION
    FROM = FROM_MEMBER | FROM_POSITION
    BY = BY_RADIUS | BY_BOX | BY_POLYGON

cdef enum Form:                         # of a command that searches
    GEORADIUS
    GEORADIUS_RO
    GEOSEARCH
    GEOSEARCHSTORE

cdef enum:
    FIRST_ROOM = 16                     # hits
    LEAST_CORNERS = 3
    GEOADD_CH = 1 << 8                  # as ZADD's
    DECIMALS_TEXT = DOUBLE_TEXT + 320   # of a distance, which may have 309 digits in front of the point

cdef struct Hit:
    double distance                     # from the centre, in metres
    double score
    double lon
    double lat
    const char* text                    # the member
    size_t size

cdef struct Search:
    GeoShape shape
    Entry* e                            # where to search; NULL: the key is missing
    int given
    int64_t limit                       # hits wanted; 0: all
    Arg* dest                           # where they are stored; NULL: they are replied
    double* corners                     # memory of shape.corners
    Hit* hits
    uint64_t count
    uint64_t room
    char* texts                         # members of a listpack, which a walk gives one at a time
    size_t texts_room

cdef Option[4] GEOADD_OPTIONS = [
    Option(b"NX", OPT_FLAG, ZADD_NX, 0, NULL),
    Option(b"XX", OPT_FLAG, ZADD_XX, 0, NULL),
    Option(b"CH", OPT_FLAG, GEOADD_CH, 0, NULL),
    Option(NULL, OPT_FLAG, 0, 0, NULL),
]


# --- arguments -----------------------------------------------------------------------------

cdef bint get_position_or_reply(Client c, int index, double* lon, double* lat) except -1:
    if not (get_double_or_reply(c, index, lon, ERR_NOT_FLOAT)
            and get_double_or_reply(c, index + 1, lat, ERR_NOT_FLOAT)):
        return False
    if geo_valid(lon[0], lat[0]):
        return True
    c.error_text(b"ERR invalid longitude,latitude pair %f,%f" % (lon[0], lat[0]))
    return False


cdef bint get_unit_or_reply(Client c, int index, double* metres) except -1:
    cdef Arg* unit = &c.argv[index]

    if arg_is(unit, b"M"):
        metres[0] = 1
    elif arg_is(unit, b"KM"):
        metres[0] = 1000
    elif arg_is(unit, b"FT"):
        metres[0] = 0.3048
    elif arg_is(unit, b"MI"):
        metres[0] = 1609.34
    else:
        c.error(ERR_GEO_UNIT)
        return False
    return True


cdef bint get_radius_or_reply(Client c, int index, Search* s) except -1:
    """A radius and its unit."""
    s.shape.kind = GEO_CIRCLE
    if not get_double_or_reply(c, index, &s.shape.radius, ERR_GEO_RADIUS):
        return False
    if s.shape.radius < 0:
        c.error(ERR_GEO_NEGATIVE)
        return False
    return get_unit_or_reply(c, index + 1, &s.shape.unit)


cdef bint get_box_or_reply(Client c, int index, Search* s) except -1:
    """Width, height and their unit."""
    s.shape.kind = GEO_BOX
    if not (get_double_or_reply(c, index, &s.shape.width, ERR_GEO_WIDTH)
            and get_double_or_reply(c, index + 1, &s.shape.height, ERR_GEO_HEIGHT)):
        return False
    if s.shape.width < 0 or s.shape.height < 0:
        c.error(ERR_GEO_BOX)
        return False
    return get_unit_or_reply(c, index + 2, &s.shape.unit)


cdef bint get_polygon_or_reply(Client c, int index, Search* s) except -1:
    """The number of corners, and the longitude and latitude of each."""
    cdef int64_t count, i

    if not parse_int64(c.argv[index].ptr, c.argv[index].size, &count) or not 0 < count <= INT32_MAX:
        c.error(ERR_GEO_CORNERS)
        return False
    if count < LEAST_CORNERS or count * 2 > c.argc - index - 1:
        c.error(ERR_GEO_FEW_CORNERS)
        return False
    s.corners = <double*>mem_alloc(&c.core.memory, count * 2 * sizeof(double))
    s.shape.kind, s.shape.corners, s.shape.count, s.shape.unit = GEO_POLYGON, s.corners, <uint64_t>count, 1
    for i in range(count):
        if not get_position_or_reply(c, <int>(index + 1 + 2 * i), &s.corners[2 * i], &s.corners[2 * i + 1]):
            return False
    geo_centre(&s.shape)
    return True


cdef bint get_member_or_reply(Client c, int index, Search* s) except -1:
    """The position of a member; if there is no sorted set, that of none."""
    cdef Arg* member = &c.argv[index]
    cdef double score

    if s.e is NULL:
        return True
    if not zset_score(s.e, member.ptr, member.size, member.hash, &score):
        c.error(ERR_GEO_MEMBER)
        return False
    geo_position(score, &s.shape.lon, &s.shape.lat)
    return True


cdef int read_shape(Client c, int i, Form form, Search* s) except -1:
    """An option of GEOSEARCH's own at argv[i]: how many arguments it took, 0: it is none, -2: an error is replied."""
    cdef Arg* word = &c.argv[i]
    cdef int more = c.argc - i - 1
    cdef bint ok

    if form < GEOSEARCH:
        return 0
    if arg_is(word, b"FROMMEMBER") and more >= 1 and not s.given & (FROM_POSITION | BY_POLYGON):
        s.given |= FROM_MEMBER
        return 2 if get_member_or_reply(c, i + 1, s) else -2
    if arg_is(word, b"FROMLONLAT") and more >= 2 and not s.given & (FROM_MEMBER | BY_POLYGON):
        s.given |= FROM_POSITION
        return 3 if get_position_or_reply(c, i + 1, &s.shape.lon, &s.shape.lat) else -2
    if arg_is(word, b"BYRADIUS") and more >= 2 and not s.given & (BY_BOX | BY_POLYGON):
        s.given |= BY_RADIUS
        return 3 if get_radius_or_reply(c, i + 1, s) else -2
    if arg_is(word, b"BYBOX") and more >= 3 and not s.given & (BY_RADIUS | BY_POLYGON):
        s.given |= BY_BOX
        return 4 if get_box_or_reply(c, i + 1, s) else -2
    if arg_is(word, b"BYPOLYGON") and more >= 1 and not s.given & (FROM | BY):
        s.given |= BY_POLYGON
        ok = get_polygon_or_reply(c, i + 1, s)
        return 2 + 2 * <int>s.shape.count if ok else -2
    return 0


cdef int read_store(Client c, int i, Form form, Search* s) except -1:
    """STORE and STOREDIST, in the same way."""
    if form == GEORADIUS and i + 1 < c.argc and (arg_is(&c.argv[i], b"STORE") or arg_is(&c.argv[i], b"STOREDIST")):
        s.dest = &c.argv[i + 1]
        s.given = (s.given & ~DISTANCES) | (DISTANCES if arg_is(&c.argv[i], b"STOREDIST") else 0)
        return 2
    if form == GEOSEARCHSTORE and arg_is(&c.argv[i], b"STOREDIST"):
        s.given |= DISTANCES
        return 1
    return 0


cdef int read_option(Client c, int i, Form form, Search* s) except -1:
    """Any option at argv[i], in the same way."""
    cdef Arg* word = &c.argv[i]
    cdef int taken

    if arg_is(word, b"WITHDIST"):
        s.given |= WITH_DISTANCE
    elif arg_is(word, b"WITHHASH"):
        s.given |= WITH_SCORE
    elif arg_is(word, b"WITHCOORD"):
        s.given |= WITH_POSITION
    elif arg_is(word, b"ANY"):
        s.given |= ANY
    elif arg_is(word, b"ASC"):
        s.given = (s.given & ~DESCENDING) | ASCENDING
    elif arg_is(word, b"DESC"):
        s.given = (s.given & ~ASCENDING) | DESCENDING
    elif arg_is(word, b"COUNT") and i + 1 < c.argc:
        if not get_int_or_reply(c, i + 1, &s.limit):
            return -2
        if s.limit <= 0:
            c.error(ERR_GEO_COUNT)
            return -2
        return 2
    else:
        taken = read_store(c, i, form, s)
        return taken if taken else read_shape(c, i, form, s)
    return 1


cdef bint read_options_or_reply(Client c, int first, Form form, Search* s) except -1:
    cdef int i = first, taken
    cdef bytes name

    while i < c.argc:
        taken = read_option(c, i, form, s)
        if taken == 0:
            c.error(ERR_SYNTAX)
        if taken <= 0:
            return False
        i += taken
    name = c.argv[0].ptr[:c.argv[0].size]
    if s.dest is not NULL and s.given & WITH:
        c.error_text((b"ERR GEOSEARCHSTORE" if form == GEOSEARCHSTORE else b"ERR STORE option in GEORADIUS")
                     + b" is not compatible with WITHDIST, WITHHASH and WITHCOORD options")
    elif form >= GEOSEARCH and not s.given & (FROM | BY_POLYGON):
        c.error_text(b"ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for " + name)
    elif form >= GEOSEARCH and not s.given & BY:
        c.error_text(b"ERR exactly one of BYRADIUS and BYBOX can be specified for " + name)
    elif s.given & ANY and not s.limit:
        c.error(ERR_GEO_ANY)
    else:
        return True
    return False


# --- the search ----------------------------------------------------------------------------

cdef Hit* add_hit(Client c, Search* s, double score, double lon, double lat, double distance) noexcept:
    """A hit whose member is still to be told."""
    cdef uint64_t more
    cdef Hit* hit

    if s.count == s.room:
        more = max(s.room * 2, <uint64_t>FIRST_ROOM)
        s.hits = <Hit*>mem_realloc(&c.core.memory, s.hits, s.room * sizeof(Hit), more * sizeof(Hit))
        s.room = more
    hit = &s.hits[s.count]
    s.count += 1
    hit.distance, hit.score, hit.lon, hit.lat = distance, score, lon, lat
    return hit


cdef void search_pack(Client c, Search* s, const GeoRange* range, uint64_t most, char** to) noexcept:
    """Look at what lies in a range of a listpack; the texts of hits are copied to where `to` points, which goes on."""
    cdef double lon, lat, distance
    cdef ScoreRange scores
    cdef ZsetIter it
    cdef Hit* hit

    scores.min, scores.min_open, scores.max, scores.max_open = <double>range.low, False, <double>range.high, True
    zset_seek_score(&it, s.e, &scores, False, 0, -1)
    while s.count < most and zset_next(&it):
        geo_position(it.score, &lon, &lat)
        if not geo_within(&s.shape, lon, lat, &distance):
            continue
        hit = add_hit(c, s, it.score, lon, lat, distance)
        memcpy(to[0], it.text, it.size)
        hit.text, hit.size = to[0], it.size
        to[0] += it.size


cdef void search_tree(Client c, Search* s, const GeoRange* range, uint64_t most) noexcept:
    """The same in a tree, whose leaves have the scores: of members, only hits are touched."""
    cdef BtCursor at = zset_from_score(s.e, <double>range.low)
    cdef double score, lon, lat, distance
    cdef void* member
    cdef Hit* hit

    while s.count < most and at.leaf is not NULL:
        score, member = bt_score(&at), bt_member(&at)
        if score >= <double>range.high:
            return
        bt_next(&at)
        geo_position(score, &lon, &lat)
        if geo_within(&s.shape, lon, lat, &distance):
            hit = add_hit(c, s, score, lon, lat, distance)
            hit.text = zset_block_text(member, &hit.size)


cdef void search(Client c, Search* s) noexcept:
    """Have all hits, or as many as are wanted of ANY."""
    cdef GeoRange[GEO_RANGES] ranges
    cdef int count = geo_ranges(&s.shape, ranges)
    cdef uint64_t most = <uint64_t>s.limit if s.given & ANY else UINT64_MAX
    cdef bint packed = entry_encoding(s.e) == ENC_LISTPACK
    cdef char* to
    cdef int i

    if packed:
        s.texts_room = lp_bytes(zset_listpack(s.e)) + zset_count(s.e) * INT64_TEXT
        s.texts = <char*>mem_alloc(&c.core.memory, s.texts_room)
    to = s.texts
    for i in range(count):
        if packed:
            search_pack(c, s, &ranges[i], most, &to)
        else:
            search_tree(c, s, &ranges[i], most)


cdef int by_distance(const void* a, const void* b) noexcept nogil:
    cdef double x = (<const Hit*>a).distance, y = (<const Hit*>b).distance

    return (x > y) - (x < y)


cdef int by_distance_down(const void* a, const void* b) noexcept nogil:
    return by_distance(b, a)


cdef uint64_t put_in_order(Search* s) noexcept:
    """How many of the hits are wanted, which are the first ones then."""
    if s.count == 0:
        return 0
    if s.given & DESCENDING:
        qsort(s.hits, s.count, sizeof(Hit), by_distance_down)
    elif s.given & ASCENDING or (s.limit and not s.given & ANY):
        qsort(s.hits, s.count, sizeof(Hit), by_distance)
    return min(s.count, <uint64_t>s.limit) if s.limit else s.count


cdef int reply_distance(Client c, double distance) except -1:
    cdef char[DECIMALS_TEXT] text

    return c.reply_bulk(text, print_double(text, sizeof(text), b"%.4f", distance))


cdef int reply_position(Client c, double lon, double lat) except -1:
    """Two numbers with all their digits."""
    cdef char[LONG_DOUBLE_TEXT] text
    cdef int i, size

    c.reply_array(2)
    for i in range(2):
        size = 1 + format_long_double(text + 1, lat if i else lon, True)
        if c.out.resp == 2:
            c.reply_bulk(text + 1, size - 1)
            continue
        text[0] = c','
        text[size] = c'\r'
        text[size + 1] = c'\n'
        c.out.protocol(text, size + 2)
    return 0


cdef int reply_hits(Client c, Search* s, uint64_t wanted) except -1:
    cdef int parts = 1 + (s.given & WITH_DISTANCE != 0) + (s.given & WITH_SCORE != 0) + (s.given & WITH_POSITION != 0)
    cdef Hit* hit
    cdef uint64_t i

    c.reply_array(wanted)
    for i in range(wanted):
        hit = &s.hits[i]
        if parts > 1:
            c.reply_array(parts)
        c.reply_bulk(hit.text, hit.size)
        if s.given & WITH_DISTANCE:
            reply_distance(c, hit.distance / s.shape.unit)
        if s.given & WITH_SCORE:
            c.reply_int(<int64_t>hit.score)
        if s.given & WITH_POSITION:
            reply_position(c, hit.lon, hit.lat)
    return 0


cdef int store_hits(Client c, Search* s, uint64_t wanted, const char* event) except -1:
    cdef ZsetBuild build
    cdef Hit* hit
    cdef uint64_t i

    zset_build_init(&build, &c.core.memory)
    try:
        for i in range(wanted):
            hit = &s.hits[i]
            zset_build_put_new(&build, hit.text, hit.size, 0,
                               hit.distance / s.shape.unit if s.given & DISTANCES else hit.score)
        return store_build(c, s.dest, &build, event)
    finally:
        zset_build_clear(&build)


cdef int answer(Client c, Search* s, Form form) except -1:
    """Search, and reply or store what is found."""
    cdef uint64_t wanted = 0

    if s.e is not NULL:
        search(c, s)
        wanted = put_in_order(s)
    if s.dest is NULL:
        return reply_hits(c, s, wanted)
    return store_hits(c, s, wanted, b"geosearchstore" if form >= GEOSEARCH else b"georadiusstore")


cdef void search_clear(Client c, Search* s) noexcept:
    if s.corners is not NULL:
        mem_free(&c.core.memory, s.corners, s.shape.count * 2 * sizeof(double))
    mem_free(&c.core.memory, s.hits, s.room * sizeof(Hit))
    mem_free(&c.core.memory, s.texts, s.texts_room)


cdef bint search_begin(Client c, Search* s, int source) except -1:
    """Nothing is given yet. False: the key has another type, which is replied."""
    s.e = c.db.lookup_read(&c.argv[source])
    s.given, s.limit, s.dest = 0, 0, NULL
    s.shape.unit = 1
    s.corners, s.hits, s.texts, s.count, s.room, s.texts_room = NULL, NULL, NULL, 0, 0, 0
    return c.has_type(s.e, TYPE_ZSET)


cdef int radius(Client c, Form form, bint by_member) except -1:
    """GEORADIUS and its kin."""
    cdef int first = 5 if by_member else 6
    cdef Search s

    if not search_begin(c, &s, 1):
        return 0
    if by_member:
        if not get_member_or_reply(c, 2, &s):
            return 0
    elif not get_position_or_reply(c, 2, &s.shape.lon, &s.shape.lat):
        return 0
    if (s.e is not NULL or not by_member) and not get_radius_or_reply(c, first - 2, &s):
        return 0
    try:
        if read_options_or_reply(c, first, form, &s):
            answer(c, &s, form)
    finally:
        search_clear(c, &s)
    return 0


# --- commands ------------------------------------------------------------------------------

cdef int cmd_geoadd(Client c) except -1:
    """GEOADD key [NX | XX] [CH] longitude latitude member [...] -> integer: how many members are new (CH: or moved).

    Errors: WRONGTYPE; syntax; not a float; a position that is off the map.
    Source: https://redis.io/commands/geoadd
    """
    cdef int flags = 0
    cdef int first = leading_options(c, 2, GEOADD_OPTIONS, &flags)
    cdef int members = (c.argc - first) // 3
    cdef double lon, lat
    cdef double* scores
    cdef int i

    if first == c.argc or (c.argc - first) % 3 or flags & (ZADD_NX | ZADD_XX) == (ZADD_NX | ZADD_XX):
        return c.error(ERR_SYNTAX)
    scores = <double*>mem_alloc(&c.core.memory, members * sizeof(double))
    try:
        for i in range(members):
            if not get_position_or_reply(c, first + 3 * i, &lon, &lat):
                return 0
            scores[i] = <double>geo_score(lon, lat)
        return add_members(c, first + 2, 3, members, flags, scores)
    finally:
        mem_free(&c.core.memory, scores, members * sizeof(double))

declare(
    b"geoadd", native(cmd_geoadd), arity=-5, flags=WRITE | DENYOOM, keys=key_at(1, "RW update"), since="3.2.0",
    complexity="O(log(N)) for each member, where N is the number of members of the index",
    summary="Adds members with their positions, or moves those that are there.",
    args="key [condition=(NX | XX)@6.2.0] [change=CH@6.2.0] data={longitude:double latitude:double member}...",
    history=(("6.2.0", "Options `CH`, `NX` and `XX`."),),
    members=(4, 3),
)


cdef int cmd_geopos(Client c) except -1:
    """GEOPOS key [member ...] -> array: longitude and latitude of each, null for one that is not there.

    Errors: WRONGTYPE. Source: https://redis.io/commands/geopos
    """
    cdef Entry* e = c.db.lookup_read(&c.argv[1])
    cdef double score, lon, lat
    cdef int i

    if not c.has_type(e, TYPE_ZSET):
        return 0
    c.reply_array(c.argc - 2)
    for i in range(2, c.argc):
        if e is NULL or not zset_score(e, c.argv[i].ptr, c.argv[i].size, c.argv[i].hash, &score):
            c.reply_null_array()
            continue
        geo_position(score, &lon, &lat)
        reply_position(c, lon, lat)
    return 0

declare(
    b"geopos", native(cmd_geopos), arity=-2, flags=READONLY, keys=key_at(1, "RO access"), since="3.2.0",
    complexity="O(1) for each member",
    summary="Returns the positions of members.",
    args="key [member...]",
    members=(2, 1),
)


cdef int cmd_geohash(Client c) except -1:
    """GEOHASH key [member ...] -> array: the geohash of each, 11 characters, null for one that is not there.

    Errors: WRONGTYPE. Source: https://redis.io/commands/geohash
    """
    cdef Entry* e = c.db.lookup_read(&c.argv[1])
    cdef char[GEO_TEXT] text
    cdef double score, lon, lat
    cdef int i

    if not c.has_type(e, TYPE_ZSET):
        return 0
    c.reply_array(c.argc - 2)
    for i in range(2, c.argc):
        if e is NULL or not zset_score(e, c.argv[i].ptr, c.argv[i].size, c.argv[i].hash, &score):
            c.reply_null()
            continue
        geo_position(score, &lon, &lat)
        geo_text(lon, lat, text)
        c.reply_bulk(text, GEO_TEXT)
    return 0

declare(
    b"geohash", native(cmd_geohash), arity=-2, flags=READONLY, keys=key_at(1, "RO access"), since="3.2.0",
    complexity="O(1) for each member",
    summary="Returns the positions of members as geohash strings.",
    args="key [member...]",
    members=(2, 1),
)


cdef int cmd_geodist(Client c) except -1:
    """GEODIST key member1 member2 [M | KM | FT | MI] -> string: how far they are apart; null if one is not there.

    Errors: WRONGTYPE; syntax; another unit.
    Source: https://redis.io/commands/geodist
    """
    cdef double score_a, score_b, lon_a, lat_a, lon_b, lat_b
    cdef double unit = 1
    cdef Arg* a = &c.argv[2]
    cdef Arg* b = &c.argv[3]
    cdef Entry* e

    if c.argc > 5:
        return c.error(ERR_SYNTAX)
    if c.argc == 5 and not get_unit_or_reply(c, 4, &unit):
        return 0
    e = c.db.lookup_read(&c.argv[1])
    if not c.has_type(e, TYPE_ZSET):
        return 0
    if e is NULL or not (zset_score(e, a.ptr, a.size, a.hash, &score_a)
                         and zset_score(e, b.ptr, b.size, b.hash, &score_b)):
        return c.reply_null()
    geo_position(score_a, &lon_a, &lat_a)
    geo_position(score_b, &lon_b, &lat_b)
    return reply_distance(c, geo_distance(lon_a, lat_a, lon_b, lat_b) / unit)

declare(
    b"geodist", native(cmd_geodist), arity=-4, flags=READONLY, keys=key_at(1, "RO access"), since="3.2.0",
    complexity="O(1)",
    summary="Returns the distance between two members.",
    args="key member1 member2 [unit=(M | KM | FT | MI)]",
)


cdef int cmd_geosearch(Client c) except -1:
    """GEOSEARCH key from by [ASC | DESC] [COUNT count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH] -> array of members.

    from: FROMMEMBER member | FROMLONLAT longitude latitude, by: BYRADIUS radius unit | BYBOX width height unit; or
    BYPOLYGON corners longitude latitude ..., which needs no other. With one of WITH* each member is an array: member,
    distance from the centre, score, [longitude, latitude].
    Errors: WRONGTYPE; syntax; numbers; a member that is not there.
    Cost: O(log(N) + M), M members in the cells that cover the shape.
    Source: https://redis.io/commands/geosearch
    """
    cdef Search s

    if not search_begin(c, &s, 1):
        return 0
    try:
        if read_options_or_reply(c, 2, GEOSEARCH, &s):
            answer(c, &s, GEOSEARCH)
    finally:
        search_clear(c, &s)
    return 0

SHAPE = (
    " from=(FROMMEMBER member | FROMLONLAT fromlonlat={longitude:double latitude:double})"
    " by=(circle={BYRADIUS radius:double unit=(M | KM | FT | MI)}"
    " | box={BYBOX width:double height:double unit=(M | KM | FT | MI)})"
    " [order=(ASC | DESC)] [count-block={COUNT count:integer [ANY]}]"
)

declare(
    b"geosearch", native(cmd_geosearch), arity=-7, flags=READONLY, keys=key_at(1, "RO access"), since="6.2.0",
    complexity="O(log(N)+M) where N is the number of members, M that of those in the cells that cover the shape",
    summary="Returns the members that lie in a circle, a box or a polygon.",
    args="key" + SHAPE + " [WITHCOORD] [WITHDIST] [WITHHASH]",
    history=(("7.0.0", "Units may be upper case."),),
)


cdef int cmd_geosearchstore(Client c) except -1:
    """GEOSEARCHSTORE destination source from by [ASC | DESC] [COUNT count [ANY]] [STOREDIST] -> integer: how many.

    As GEOSEARCH; the members are stored with their positions, or (STOREDIST) their distances, as scores.
    Source: https://redis.io/commands/geosearchstore
    """
    cdef Search s

    if not search_begin(c, &s, 2):
        return 0
    s.dest = &c.argv[1]
    try:
        if read_options_or_reply(c, 3, GEOSEARCHSTORE, &s):
            answer(c, &s, GEOSEARCHSTORE)
    finally:
        search_clear(c, &s)
    return 0

declare(
    b"geosearchstore", native(cmd_geosearchstore), arity=-8, flags=WRITE | DENYOOM,
    keys=(key_at(1, "OW update"), key_at(2, "RO access")), since="6.2.0",
    complexity="O(log(N)+M) where N is the number of members, M that of those in the cells that cover the shape",
    summary="Stores the members that lie in a circle, a box or a polygon.",
    args="destination:key source:key" + SHAPE + " [STOREDIST]",
    history=(("7.0.0", "Units may be upper case."),),
)


cdef int cmd_georadius(Client c) except -1:
    """GEORADIUS key longitude latitude radius unit [options of GEOSEARCH] [STORE key | STOREDIST key]
    -> array of members, as GEOSEARCH; with STORE or STOREDIST integer: how many were stored.

    Errors: as GEOSEARCH.
    Source: https://redis.io/commands/georadius
    """
    return radius(c, GEORADIUS, False)


cdef int cmd_georadius_ro(Client c) except -1:
    """GEORADIUS_RO key longitude latitude radius unit [options] -> array of members: GEORADIUS without STORE.

    Errors: as GEOSEARCH. Source: https://redis.io/commands/georadius_ro
    """
    return radius(c, GEORADIUS_RO, False)


cdef int cmd_georadiusbymember(Client c) except -1:
    """GEORADIUSBYMEMBER key member radius unit [options] -> array of members, or integer: GEORADIUS around a member.

    Errors: as GEOSEARCH. Source: https://redis.io/commands/georadiusbymember
    """
    return radius(c, GEORADIUS, True)


cdef int cmd_georadiusbymember_ro(Client c) except -1:
    """GEORADIUSBYMEMBER_RO key member radius unit [options] -> array of members: the same without STORE.

    Errors: as GEOSEARCH. Source: https://redis.io/commands/georadiusbymember_ro
    """
    return radius(c, GEORADIUS_RO, True)

cdef void find_stored(const Arg* argv, int argc, int first, KeyList* found) noexcept:
    """GEORADIUS's source, and the destination of the last STORE or STOREDIST, whose options begin at argv[first]."""
    cdef int i = first
    cdef int destination = 0

    while i < argc:
        if i + 1 < argc and (arg_is(&argv[i], b"STORE") or arg_is(&argv[i], b"STOREDIST")):
            i += 1
            destination = i
        elif arg_is(&argv[i], b"COUNT"):
            i += 1
        i += 1
    key_add(found, 1, KEY_RO | KEY_ACCESS)
    if destination:
        key_add(found, destination, KEY_OW | KEY_UPDATE)


cdef void georadius_keys(const Arg* argv, int argc, KeyList* found) noexcept:
    find_stored(argv, argc, 6, found)


cdef void georadiusbymember_keys(const Arg* argv, int argc, KeyList* found) noexcept:
    find_stored(argv, argc, 5, found)

UNIT = " radius:double unit=(M | KM | FT | MI) [WITHCOORD] [WITHDIST] [WITHHASH] "
COUNT = "[count-block={COUNT count:integer [ANY]}]"
SINCE_ANY = "[count-block={COUNT count:integer [ANY@6.2.0]}]"
ORDER = " [order=(ASC | DESC)]"
STORE = " [store=(STORE storekey<key>:key#1 | STOREDIST storedistkey<key>:key#2)]"
COMPLEXITY = "O(N+log(M)) where N is the number of members in the cells around the circle, M that of all members"

declare(
    b"georadius", native(cmd_georadius), arity=-6, flags=WRITE | DENYOOM,
    keys=(key_at(1, "RO access"), key_after("STORE", 6, "OW update", finder=key_finder(georadius_keys), loose=True),
          key_after("STOREDIST", 6, "OW update")),
    since="3.2.0", complexity=COMPLEXITY, doc_flags=("deprecated",), deprecated_since="6.2.0",
    replaced_by="`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument",
    summary="Returns, or stores, the members that lie in a circle.",
    args="key longitude:double latitude:double" + UNIT + SINCE_ANY + ORDER + STORE,
    history=(("6.2.0", "Option `ANY` of `COUNT`."), ("7.0.0", "Units may be upper case.")),
)
declare(
    b"georadius_ro", native(cmd_georadius_ro), arity=-6, flags=READONLY, keys=key_at(1, "RO access"),
    since="3.2.10", complexity=COMPLEXITY, doc_flags=("deprecated",), deprecated_since="6.2.0",
    replaced_by="`GEOSEARCH` with the `BYRADIUS` argument",
    summary="Returns the members that lie in a circle.",
    args="key longitude:double latitude:double" + UNIT + SINCE_ANY + ORDER,
    history=(("6.2.0", "Option `ANY` of `COUNT`."),),
)
declare(
    b"georadiusbymember", native(cmd_georadiusbymember), arity=-5, flags=WRITE | DENYOOM,
    keys=(key_at(1, "RO access"),
          key_after("STORE", 5, "OW update", finder=key_finder(georadiusbymember_keys), loose=True),
          key_after("STOREDIST", 5, "OW update")),
    since="3.2.0", complexity=COMPLEXITY, doc_flags=("deprecated",), deprecated_since="6.2.0",
    replaced_by="`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments",
    summary="Returns, or stores, the members that lie in a circle around one of them.",
    args="key member" + UNIT + COUNT + ORDER + STORE,
    history=(("6.2.0", "Option `ANY` of `COUNT`."), ("7.0.0", "Units may be upper case.")),
)
declare(
    b"georadiusbymember_ro", native(cmd_georadiusbymember_ro), arity=-5, flags=READONLY,
    keys=key_at(1, "RO access"), since="3.2.10", complexity=COMPLEXITY, doc_flags=("deprecated",),
    deprecated_since="6.2.0", replaced_by="`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments",
    summary="Returns the members that lie in a circle around one of them.",
    args="key member" + UNIT + COUNT + ORDER,
)
