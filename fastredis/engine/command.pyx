"""Command declarations and the table of names. The design comment is in command.pxd."""
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from cpython.pycapsule cimport PyCapsule_CheckExact, PyCapsule_GetPointer, PyCapsule_New

from fastredis.engine.flags cimport CONTAINER, MOVABLE_KEYS

from fastredis.engine import declarations

cdef extern from "<strings.h>" nogil:
    int strncasecmp(const char* a, const char* b, size_t size)

cdef list declared = []                 # every Command of the program, in the order of declaration


cdef object native(Handler handler):
    """A Cython handler as an object, for declare()."""
    return PyCapsule_New(<void*>handler, NULL, NULL)


cdef class Command:
    def __init__(self, declaration, handler, int index):
        self.declaration = declaration
        self.name = declaration.name
        self.arity = declaration.arity
        self.flags = declaration.flags
        self.index = index
        if PyCapsule_CheckExact(handler):
            self.handler = <Handler>PyCapsule_GetPointer(handler, NULL)
        elif handler is not None:
            self.function = handler
        self.keys = KeySpecs(declaration.keys)
        self.first_key, self.last_key, self.key_step = declarations.legacy_range(declaration.keys)
        if declarations.movable(declaration.keys):
            self.flags |= MOVABLE_KEYS
        if declaration.members is not None:
            self.first_member, self.member_step = declaration.members
        if handler is None:
            self.flags |= CONTAINER
            self.subcommands = {}

    def __repr__(self):
        return f"<Command {self.name.decode()}>"

    @property
    def group(self):
        return self.declaration.group


def declarer(str group):
    """The declare() of a group of commands.

    declare(name, handler, **facts): the handler is native(cmd_x), a Python function of one Client, or None
    for a container. The facts are the fields of declarations.Declaration.
    """
    def declare(name, handler, **facts):
        cdef Command command, container

        facts["keys"] = declarations.key_specs(facts.get("keys", ()))
        command = Command(declarations.Declaration(name=name, group=group, **facts), handler, len(declared))
        if b"|" in name:
            parent, child = name.split(b"|")
            container = next(c for c in declared if c.name == parent)
            if container.subcommands is None:       # COMMAND: a command in its own right as well
                container.subcommands = {}
                container.flags |= CONTAINER
            container.subcommands[child] = command
            container.declaration.subcommands[child] = command.declaration
            command.container = container
        declared.append(command)
    return declare


def declared_commands():
    """Every declared Command, subcommands included, in the order of Command.index."""
    return list(declared)


cdef class CommandTable:
    """The commands of one engine by name; `renamed` maps a name (bytes) to another, or to b"" for none."""

    def __cinit__(self, renamed=None):
        cdef Command command
        cdef size_t room = 64

        self.by_name = {}
        renamed = renamed or {}
        for command in declared:
            name = renamed.get(command.name, command.name)
            if command.container is None and name:
                self.by_name[name.lower()] = command
        while room < len(self.by_name) * 4:
            room *= 2
        self.mask = room - 1
        self.slots = <NameSlot*>PyMem_Calloc(room, sizeof(NameSlot))
        if self.slots is NULL:
            raise MemoryError
        for name, command in self.by_name.items():
            self.insert(name, command)

    def __dealloc__(self):
        PyMem_Free(self.slots)

    def add(self, bytes name not None, Command command not None):
        """Have one more command, of this engine alone, under a name (in small letters) that none has."""
        if len(self.by_name) * 2 > self.mask:
            raise ValueError("there are too many commands")
        self.by_name[name] = command
        self.insert(name, command)

    def all(self):
        """Every command, whatever its name, subcommands included: those of the program, then this engine's own."""
        return declared + [command for command in self.by_name.values() if command.index >= len(declared)]

    def insert(self, bytes name, Command command):
        cdef uint64_t word = name_word(name, len(name))
        cdef size_t i = home(word, len(name)) & self.mask

        while self.slots[i].command is not NULL:
            i = (i + 1) & self.mask
        self.slots[i].word = word
        self.slots[i].size = len(name)
        self.slots[i].command = <void*>command

    cdef Command find(self, const char* name, size_t size):
        """The command of that name in any case, or None."""
        cdef void* found = find_command(self, name, size)

        return <Command>found if found is not NULL else None

    cdef bint is_named(self, Command command, const char* name, size_t size):
        # The slot may be that of a new name, which begins like this one and is as long.
        if strncasecmp(command.name, name, size) == 0:
            return self.by_name.get(command.name) is command
        return self.by_name.get(name[:size].lower()) is command

    def get(self, bytes name):
        """The command (b"get"), or subcommand (b"client|kill"), of that name in any case; None: there is none."""
        cdef Command command
        cdef bytes child

        if b"|" in name:
            name, child = name.split(b"|", 1)
            command = self.find(name, len(name))
            return find_subcommand(command, child, len(child)) if command is not None else None
        return self.find(name, len(name))


cdef Command find_subcommand(Command container, const char* name, size_t size):
    """A container's subcommand of that name in any case, or None."""
    if container.subcommands is None:
        return None
    return container.subcommands.get(name[:size].lower())
