"""Finding the keys of a command. The design comment is in keys.pxd."""
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_New
from cpython.unicode cimport PyUnicode_AsUTF8
from libc.stdint cimport INT64_MAX, int32_t, int64_t, uint64_t
from libc.string cimport memcpy

from fastredis._resp cimport arg_of
from fastredis.ds.alloc cimport mem_alloc, mem_free, mem_realloc

cdef extern from "<strings.h>" nogil:
    int strncasecmp(const char* a, const char* b, size_t size)

# Their names, in the order of COMMAND INFO.
KEY_FLAGS = {
    "RO": KEY_RO, "RW": KEY_RW, "OW": KEY_OW, "RM": KEY_RM, "access": KEY_ACCESS, "update": KEY_UPDATE,
    "insert": KEY_INSERT, "delete": KEY_DELETE, "not_key": KEY_NOT_KEY, "incomplete": KEY_INCOMPLETE,
    "variable_flags": KEY_VARIABLE_FLAGS,
}


# --- the list of what was found -----------------------------------------------------------

cdef void keys_init(KeyList* list, Account* account) noexcept:
    """An empty list; keys_free() it."""
    list.account = account
    list.items = list.few
    list.count = 0
    list.room = FEW_KEYS


cdef void keys_free(KeyList* list) noexcept:
    if list.items is not list.few:
        mem_free(list.account, list.items, list.room * sizeof(KeyPlace))


cdef void key_add(KeyList* list, int position, uint32_t flags) noexcept:
    cdef size_t size = list.room * sizeof(KeyPlace)

    if list.count == list.room:
        if list.items is list.few:
            list.items = <KeyPlace*>mem_alloc(list.account, size * 2)
            memcpy(list.items, list.few, size)
        else:
            list.items = <KeyPlace*>mem_realloc(list.account, list.items, size, size * 2)
        list.room *= 2
    list.items[list.count].position = position
    list.items[list.count].flags = flags
    list.count += 1


cdef object key_finder(KeyFinder finder):
    """A finder as an object, for the key specs of a declaration."""
    return PyCapsule_New(<void*>finder, NULL, NULL)


# --- the walk along the specs ----------------------------------------------------------------

cdef class KeySpecs:
    """The key specs of a command, compiled; `declared` is a tuple of declarations.KeySpec."""

    def __cinit__(self, declared):
        cdef KeySpec* item

        self.declared = tuple(declared)
        self.items = <KeySpec*>PyMem_Calloc(len(self.declared) + 1, sizeof(KeySpec))
        if self.items is NULL:
            raise MemoryError
        for spec in self.declared:
            item = &self.items[self.count]
            self.count += 1
            item.flags = sum(KEY_FLAGS[name] for name in spec.flags)
            if spec.begin is not None:
                begin_of(item, spec.begin)
            if spec.find is not None:
                find_of(item, spec.find)
            self.any = self.any or not item.flags & KEY_NOT_KEY
            self.variable = self.variable or item.flags & KEY_VARIABLE_FLAGS or spec.loose
            if spec.finder is not None and self.finder is NULL:
                self.finder = <KeyFinder>PyCapsule_GetPointer(spec.finder, NULL)

    def __dealloc__(self):
        PyMem_Free(self.items)

    cdef int find(self, const Arg* argv, int argc, KeyList* found) noexcept:
        """Add the keys of a call whose argc is valid; returns how many there are.

        0: the arguments are invalid, or name no key, which is right for a command with NO_MANDATORY_KEYS only.
        """
        found.count = 0
        if self.finder is not NULL and self.variable:
            self.finder(argv, argc, found)
        elif not walk(self, argv, argc, found):
            found.count = 0
            if self.finder is not NULL:
                self.finder(argv, argc, found)
        return found.count

    def positions(self, argv):
        """The keys of a call with these arguments, bytes: [(index into argv, (flag's name, ...)), ...], never empty.

        Errors: ValueError if the arguments are invalid or name no key.
        """
        cdef Account account
        cdef KeyList found
        cdef Arg* args = <Arg*>PyMem_Calloc(len(argv) + 1, sizeof(Arg))
        cdef int i

        account.used = account.peak = 0
        if args is NULL:
            raise MemoryError
        for i in range(len(argv)):
            args[i] = arg_of(argv[i])
        keys_init(&found, &account)
        try:
            if not self.find(args, len(argv), &found):
                raise ValueError("Invalid arguments specified for command")
            return [(found.items[i].position,
                     tuple([name for name, flag in KEY_FLAGS.items() if found.items[i].flags & <uint32_t>flag]))
                    for i in range(found.count)]
        finally:
            keys_free(&found)
            PyMem_Free(args)


cdef int begin_of(KeySpec* item, begin) except -1:
    item.begin = begin.kind
    if begin.kind == FROM_INDEX:
        item.place = begin.index
    else:
        item.place = begin.startfrom
        item.keyword = PyUnicode_AsUTF8(begin.keyword)
        item.keyword_size = len(begin.keyword)
    return 0


cdef int find_of(KeySpec* item, find) except -1:
    item.find = find.kind
    item.step = find.keystep
    if find.kind == RANGE:
        item.last = find.lastkey
        item.limit = find.limit
    else:
        item.number_at = find.keynumidx
        item.first = find.firstkey
    return 0


cdef bint walk(KeySpecs specs, const Arg* argv, int argc, KeyList* found) noexcept:
    """Add the keys that the specs find; False where one of them does not fit argv, or is not the whole truth."""
    cdef int i
    cdef bint proper = True

    for i in range(specs.count):
        if not specs.items[i].flags & KEY_NOT_KEY and not walk_spec(&specs.items[i], argv, argc, found, &proper):
            return False
    if not proper:
        forget_flags(found)
    return True


cdef bint walk_spec(const KeySpec* spec, const Arg* argv, int argc, KeyList* found, bint* proper) noexcept:
    cdef int begin = spec.place
    cdef int64_t first, last, number
    cdef uint32_t flags = spec.flags

    if spec.begin == FROM_KEYWORD:
        begin = after_keyword(spec, argv, argc)
        if begin == 0:
            return True                 # an option that was not given
    if spec.begin == 0 or spec.find == 0:
        return False
    first = begin
    if spec.find == RANGE:
        last = spec.last
        if last >= 0:
            last += first
        elif spec.limit:
            last += first + (argc - first) // spec.limit
        else:
            last += argc
    else:
        if begin + spec.number_at >= argc or not read_number(&argv[begin + spec.number_at], &number, &flags):
            return False
        if flags == 0:
            proper[0] = False
        first += spec.first
        last = first + (number - 1) * spec.step
    if last < first or last >= argc or spec.flags & KEY_INCOMPLETE:
        return False
    while first <= last:
        key_add(found, <int>first, flags)
        first += spec.step
    return True


cdef int after_keyword(const KeySpec* spec, const Arg* argv, int argc) noexcept:
    """The position after the keyword; 0 if it is not there.

    The last argument is no keyword going forward, nor is argv[1] going backward: Redis stops one short.
    """
    cdef int step = 1 if spec.place > 0 else -1
    cdef int end = argc - 1 if spec.place > 0 else 1
    cdef int i = spec.place if spec.place > 0 else argc + spec.place

    while (end - i) * step > 0:
        if argv[i].size == spec.keyword_size and strncasecmp(argv[i].ptr, spec.keyword, spec.keyword_size) == 0:
            return i + 1
        i += step
    return 0


cdef bint read_number(const Arg* a, int64_t* number, uint32_t* flags) noexcept:
    """Read a number of keys, as atoi() does; flags become 0 if it is not spelled properly.

    False if it does not begin with a number. What is out of range is what a C compiler makes of it: Redis takes that.
    """
    cdef size_t i = 0
    cdef size_t digits
    cdef bint negative = False
    cdef uint64_t most = INT64_MAX
    cdef uint64_t value = 0
    cdef uint64_t digit

    while i < a.size and (a.ptr[i] == c' ' or c'\t' <= a.ptr[i] <= c'\r'):
        i += 1
    if i < a.size and (a.ptr[i] == c'-' or a.ptr[i] == c'+'):
        negative = a.ptr[i] == c'-'
        i += 1
    most += negative
    digits = i
    while i < a.size and c'0' <= a.ptr[i] <= c'9':
        digit = a.ptr[i] - c'0'
        value = value * 10 + digit if value <= (most - digit) // 10 else most
        i += 1
    if i == digits:
        return False
    number[0] = <int32_t>(0 - value if negative else value)
    if digits or i < a.size or (a.ptr[0] == c'0' and a.size > 1):
        flags[0] = 0
    return True


cdef void forget_flags(KeyList* found) noexcept:
    """A number of keys is not spelled properly: Redis then names the sources first, and the destination."""
    cdef int count = found.count
    cdef int i, to = 0

    for i in range(count):
        if found.items[i].flags:
            key_add(found, found.items[i].position, 0)
    for i in range(found.count):
        if found.items[i].flags == 0:
            found.items[to] = found.items[i]
            to += 1
    found.count = to
