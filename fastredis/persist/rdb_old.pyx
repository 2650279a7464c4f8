"""Encodings of old RDB files. The layouts are in rdb_old.pxd."""
from libc.stdint cimport int16_t, int32_t, int64_t, int8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from fastredis.ds.listpack cimport LpItem, lp_append, lp_append_int, lp_free, lp_new
from fastredis.ds.native cimport bswap32

cdef enum:
    ZIPLIST_HEADER = 10
    ZIPLIST_MANY = 0xFFFF               # entries, when there are that many or more
    ZIP_WIDE = 254                      # first byte of a length of 4 more bytes
    ZIP_END = 255


cdef inline uint32_t load_4(const uint8_t* p) noexcept:
    cdef uint32_t word

    memcpy(&word, p, 4)
    return word


cdef uint8_t* append(Account* account, uint8_t* lp, const LpItem* item) except NULL:
    """Append an element."""
    if item.text is NULL:
        return lp_append_int(account, lp, item.number)
    return lp_append(account, lp, item.text, item.size)


# ---------------------------------------------------------------- ziplists

cdef size_t ziplist_number(const uint8_t* p, size_t room, int64_t* number) noexcept:
    """Read an entry that is an integer, its encoding first; bytes it takes, 0: it is none, or not all there."""
    cdef int code = p[0]
    cdef int16_t n16
    cdef int32_t n32

    if 0xF1 <= code <= 0xFD:
        number[0] = code - 0xF1
        return 1
    if code == 0xFE and room >= 2:
        number[0] = <int8_t>p[1]
        return 2
    if code == 0xC0 and room >= 3:
        memcpy(&n16, p + 1, 2)
        number[0] = n16
        return 3
    if code == 0xF0 and room >= 4:
        n32 = 0
        memcpy(<uint8_t*>&n32 + 1, p + 1, 3)
        number[0] = n32 >> 8
        return 4
    if code == 0xD0 and room >= 5:
        memcpy(&n32, p + 1, 4)
        number[0] = n32
        return 5
    if code == 0xE0 and room >= 9:
        memcpy(number, p + 1, 8)
        return 9
    return 0


cdef size_t ziplist_data(const uint8_t* p, size_t room, LpItem* item) noexcept:
    """Read an entry without the length of the one before; bytes it takes, 0: it is broken. room is at least 1."""
    cdef size_t head

    item.text = NULL
    if p[0] >= 0xC0:
        return ziplist_number(p, room, &item.number)
    if p[0] < 0x40:
        head = 1
        item.size = p[0]
    elif p[0] < 0x80 and room >= 2:
        head = 2
        item.size = (p[0] & 0x3F) << 8 | p[1]
    elif p[0] == 0x80 and room >= 5:
        head = 5
        item.size = bswap32(load_4(p + 1))
    else:
        return 0
    if item.size > room - head:
        return 0
    item.text = <const char*>p + head
    return head + item.size


cdef size_t ziplist_entry(const uint8_t* p, size_t room, size_t before, LpItem* item) noexcept:
    """Read an entry behind one of `before` bytes; bytes it takes, 0: it is broken. room is at least 1."""
    cdef size_t head = 5 if p[0] == ZIP_WIDE else 1
    cdef size_t size

    if head >= room or (load_4(p + 1) if head == 5 else p[0]) != before:
        return 0
    size = ziplist_data(p + head, room - head, item)
    return head + size if size else 0


cdef uint8_t* old_ziplist(Account* account, const uint8_t* data, size_t size) except? NULL:
    """The elements of a ziplist as a new listpack. NULL without an exception: it is broken. O(size)."""
    cdef size_t at = ZIPLIST_HEADER, last = ZIPLIST_HEADER, entry = 0
    cdef uint64_t entries = 0
    cdef uint16_t stored
    cdef uint8_t* lp
    cdef LpItem item

    if size <= ZIPLIST_HEADER or load_4(data) != size or data[size - 1] != ZIP_END:
        return NULL
    memcpy(&stored, data + 8, 2)
    lp = lp_new(account)
    while at < size - 1:
        last = at
        entry = ziplist_entry(data + at, size - 1 - at, entry, &item)
        if entry == 0:
            lp_free(account, lp)
            return NULL
        lp = append(account, lp, &item)
        at += entry
        entries += 1
    if load_4(data + 4) != last or (stored != entries and stored != ZIPLIST_MANY):
        lp_free(account, lp)
        return NULL
    return lp


# ---------------------------------------------------------------- zipmaps

cdef size_t zipmap_length(const uint8_t* p, size_t room, size_t* length) noexcept:
    """Read a length; bytes it takes, 0: it is not all there, or the end."""
    if room >= 1 and p[0] < ZIP_WIDE:
        length[0] = p[0]
        return 1
    if room >= 5 and p[0] == ZIP_WIDE:
        length[0] = load_4(p + 1)
        return 5
    return 0


cdef size_t zipmap_entry(const uint8_t* p, size_t room, LpItem* field, LpItem* value) noexcept:
    """Read a field and its value; bytes they take, 0: they are broken."""
    cdef size_t head = zipmap_length(p, room, &field.size)
    cdef size_t at = head + field.size
    cdef size_t unused

    if head == 0 or at > room:
        return 0
    field.text = <const char*>p + head
    head = zipmap_length(p + at, room - at, &value.size)
    at += head
    if head == 0 or at >= room:
        return 0
    unused = p[at]
    at += 1
    if value.size + unused > room - at:
        return 0
    value.text = <const char*>p + at
    return at + value.size + unused


cdef uint8_t* old_zipmap(Account* account, const uint8_t* data, size_t size) except? NULL:
    """The fields and values of a zipmap as a new listpack. NULL without an exception: broken, or empty. O(size)."""
    cdef size_t at = 1, entry
    cdef uint64_t entries = 0
    cdef uint8_t* lp
    cdef LpItem field, value

    if size < 2 or data[size - 1] != ZIP_END:
        return NULL
    lp = lp_new(account)
    while at < size - 1:
        entry = zipmap_entry(data + at, size - 1 - at, &field, &value)
        if entry == 0:
            lp_free(account, lp)
            return NULL
        lp = append(account, lp, &field)
        lp = append(account, lp, &value)
        at += entry
        entries += 1
    if entries == 0 or (data[0] < ZIP_WIDE and data[0] != entries):
        lp_free(account, lp)
        return NULL
    return lp
