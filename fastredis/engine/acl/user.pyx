"""Users and their permissions, compiled. The design comment is in user.pxd."""
from cpython.mem cimport PyMem_Calloc, PyMem_Free

from fastredis.ds.glob cimport glob_has_wildcards, glob_match
from fastredis.ds.native cimport same_bytes
from fastredis.engine.keys cimport KEY_ACCESS, KEY_DELETE, KEY_INSERT, KEY_UPDATE

cdef enum:
    WORD_BITS = 64


cdef class Selector:
    """What one set of permissions allows, from a rules.Permissions."""

    def __cinit__(self, permissions, int command_count):
        cdef int index

        self.texts = []
        self.command_count = command_count
        self.commands = <uint64_t*>checked(PyMem_Calloc(command_count // WORD_BITS + 1, sizeof(uint64_t)))
        for index in permissions.commands:
            self.commands[index // WORD_BITS] |= <uint64_t>1 << index % WORD_BITS
        if len(permissions.commands) == command_count:
            self.flags |= ALL_COMMANDS
        self.first_args = {index: frozenset(words) for index, words in permissions.first_args.items()} or None
        if permissions.keys is None:
            self.flags |= ALL_KEYS
        else:
            self.keys = patterns(self, permissions.keys.items(), &self.key_count)
        if permissions.channels is None:
            self.flags |= ALL_CHANNELS
        else:
            self.channels = patterns(self, [(text, 0) for text in permissions.channels], &self.channel_count)
        if permissions.databases is None:
            self.flags |= ALL_DATABASES
        else:
            self.databases = <int*>checked(PyMem_Calloc(len(permissions.databases) + 1, sizeof(int)))
            for index in permissions.databases:
                self.databases[self.database_count] = index
                self.database_count += 1

    def __dealloc__(self):
        PyMem_Free(self.commands)
        PyMem_Free(self.keys)
        PyMem_Free(self.channels)
        PyMem_Free(self.databases)

    cdef bint allows_command(self, int index, const Arg* argv, int argc) except -1:
        cdef frozenset words

        if self.flags & ALL_COMMANDS:
            return True
        if index >= self.command_count:     # a program has declared it since: no rule can name it
            return False
        if self.commands[index // WORD_BITS] >> index % WORD_BITS & 1:
            return True
        if self.first_args is None or argc < 2:
            return False
        words = self.first_args.get(index)
        return words is not None and argv[1].ptr[:argv[1].size].lower() in words

    cdef bint allows_key(self, const char* key, size_t size, uint32_t flags) noexcept:
        cdef int needed = 0
        cdef int i

        if self.flags & ALL_KEYS:
            return True
        if flags & KEY_ACCESS:
            needed |= MAY_READ
        if flags & (KEY_INSERT | KEY_DELETE | KEY_UPDATE):
            needed |= MAY_WRITE
        for i in range(self.key_count):
            if self.keys[i].access & needed == needed and matches(&self.keys[i], key, size):
                return True
        return False

    cdef bint allows_channel(self, const char* name, size_t size, bint is_pattern) noexcept:
        """is_pattern: it is one of PSUBSCRIBE, of which nobody knows what it matches; so only itself is allowed."""
        cdef AclPattern* pattern
        cdef int i

        if self.flags & ALL_CHANNELS:
            return True
        for i in range(self.channel_count):
            pattern = &self.channels[i]
            if not is_pattern and matches(pattern, name, size):
                return True
            if is_pattern and pattern.whole == size and same_bytes(pattern.text, name, size):
                return True
        return False

    cdef bint allows_database(self, int db) noexcept:
        cdef int i

        if self.flags & ALL_DATABASES:
            return True
        for i in range(self.database_count):
            if self.databases[i] == db:
                return True
        return False

    cdef bint allows_all_keys(self, int access) noexcept:
        """Whether all keys there could be may be read, or written (MAY_* bits)."""
        cdef int i

        if self.flags & ALL_KEYS:
            return True
        for i in range(self.key_count):
            if self.keys[i].access & access == access and self.keys[i].kind == PREFIX and self.keys[i].size == 0:
                return True
        return False


cdef AclPattern* patterns(Selector selector, pairs, int* count) except NULL:
    """Patterns of a selector, which keeps their texts."""
    cdef AclPattern* made = <AclPattern*>checked(PyMem_Calloc(len(pairs) + 1, sizeof(AclPattern)))
    cdef AclPattern* pattern
    cdef bytes text

    count[0] = 0
    for text, access in pairs:
        selector.texts.append(text)
        pattern = &made[count[0]]
        count[0] += 1
        pattern.text = text
        pattern.size = pattern.whole = len(text)
        pattern.access = access
        if glob_has_wildcards(pattern.text, pattern.size):
            pattern.kind = GLOB
            if text.endswith(b"*") and not glob_has_wildcards(pattern.text, pattern.size - 1):
                pattern.kind = PREFIX
                pattern.size -= 1
    return made


cdef void* checked(void* block) except NULL:
    if block is NULL:
        raise MemoryError
    return block


cdef inline bint matches(AclPattern* pattern, const char* text, size_t size) noexcept:
    if pattern.kind == PREFIX:
        return size >= pattern.size and same_bytes(pattern.text, text, pattern.size)
    if pattern.kind == AS_IT_IS:
        return size == pattern.size and same_bytes(pattern.text, text, size)
    return glob_match(pattern.text, pattern.size, text, size, False)


cdef class User:
    """A user of one engine; without rules it may do everything."""

    def __init__(self, bytes name not None, rules=None):
        self.name = name
        self.selectors = ()
        if rules is not None:
            self.take(rules)

    def __repr__(self):
        return f"<User {self.name.decode('utf-8', 'replace')}>"

    def take(self, rules not None):
        """From now on these rules (rules.UserRules) are its own. Its clients are to be told (Client.become)."""
        cdef Selector root
        cdef tuple selectors = tuple([Selector(permissions, rules.command_count)
                                      for permissions in rules.all_permissions])

        root = <Selector>selectors[0]
        self.rules, self.selectors = rules, selectors
        self.limited = root.flags != ALL
