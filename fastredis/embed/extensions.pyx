"""Functions and commands in Python, which run in the engine: Extensions.

    FCALL name ...   commands/functions --> engine.extensions.run() --> run_code() --> Runs.run_python() --> function
    MYCMD ...        dispatch           --> Command.function        --> run_code()

For the engine a run is that of a script (scripting/run): one unit, whose commands pass the same checks and are
propagated between MULTI and EXEC. What calls them, and with which arguments, is never propagated: a replica needs to
have none of them.
"""
from functools import partial
import traceback

from fastredis._resp cimport arg_bytes
from fastredis.embed.arguments cimport put_arg
from fastredis.embed.reading cimport read_value
from fastredis.engine.client cimport Client
from fastredis.engine.command cimport Command, CommandTable
from fastredis.engine.engine cimport Engine
from fastredis.scripting.run cimport CODE_DECLARES, CODE_FUNCTION, CODE_NO_WRITES, Code, Runs, code_flag
from fastredis.scripting.scripts cimport Scripts

from fastredis.embed.errors import FastredisError, ReplyError
from fastredis.engine import hooks
from fastredis.engine.declarations import ACL_CATEGORIES, FLAG_NAMES, Declaration, key_specs
from fastredis.engine.flags import NOSCRIPT, READONLY, WRITE

# Flags that a command may declare; the others concern what the engine does for its own.
COMMAND_FLAGS = {name: flag for flag, name in FLAG_NAMES
                 if name in ("write", "readonly", "denyoom", "admin", "loading", "stale", "fast", "no_multi",
                             "skip_slowlog")}


cdef class PythonCode(Code):
    """A function of the program's, as Runs has it."""
    cdef object function


cdef PythonCode code_of(bytes name, object function, int flags):
    cdef PythonCode code = PythonCode()

    code.name, code.function, code.flags = name, function, flags | CODE_FUNCTION
    return code


cdef class Context:
    """What a function in Python has of the engine, as long as it runs."""
    cdef Runs runs                      # None: it has returned
    cdef Client client

    def call(self, *args):
        """Execute a command, as redis.call() in a script -> its reply. Errors: ReplyError; TypeError."""
        cdef list kept = []
        cdef const char* at
        cdef int i

        if self.runs is None:
            raise FastredisError("this context is that of a call that is over")
        if not args:
            raise TypeError("a command has a name")
        self.runs.reserved(<int>len(args))
        for i in range(<int>len(args)):
            put_arg(&self.runs.argv[i], args[i], kept)
        at = self.runs.execute(<int>len(args))
        if self.runs.caller.refused:
            raise ReplyError(at[1:].decode("utf-8", "replace"))
        value = read_value(&at, False) if at is not NULL and self.runs.out.size else None
        if type(value) is ReplyError:
            raise value
        return value

    @property
    def client_id(self):
        """The id of the client that has called."""
        return self.client.id

    @property
    def client_name(self):
        """Its name, as CLIENT SETNAME has set it."""
        return self.client.name


cdef int run_code(Client c, PythonCode code, tuple args, bint read_only) except -1:
    """Call a function and reply what it returns, or why it failed: that is never the engine's failure."""
    cdef Context context = Context()
    cdef bint ran = True
    cdef size_t mark = c.out.size
    cdef bytes problem = None

    context.runs, context.client = (<Scripts>c.engine.scripts).runs, c
    try:
        value = context.runs.run_python(c, code, partial(code.function, context, *args), read_only, &ran)
        if ran:
            c.reply(value)
    except ReplyError as error:
        problem = one_line(str(error))
    except Exception as error:
        c.engine.log.warning(f"The function {code.name.decode()} failed with an exception\n" + traceback.format_exc())
        problem = b"ERR %s: %s" % (code.name, one_line(f"{type(error).__name__}: {error}"))
    finally:
        context.runs = None
    if problem is not None:
        c.out.truncate(min(mark, c.out.size))
        c.error_text(problem)
    return 0


cdef bytes one_line(str text):
    return b" ".join(text.encode("utf-8", "replace").split())


class Extensions(hooks.Extensions):
    """What a program has declared for one engine. Its methods are called with the engine for this thread alone."""

    def __init__(self, engine):
        self.engine = engine
        self.functions = {}
        engine.extensions = self

    # --- for the engine -----------------------------------------------------------------

    def find(self, bytes name not None):
        return self.functions.get(name.lower())

    def run(self, Client c not None, function, int keys, bint read_only):
        cdef list words = [arg_bytes(&c.argv[i]) for i in range(3, c.argc)]

        run_code(c, function, (words[:keys], words[keys:]), read_only)

    # --- for programs -------------------------------------------------------------------

    def add_function(self, str name not None, function, flags):
        """Have FCALL call a function: function(context, keys, args). Errors: ValueError."""
        cdef int bits = CODE_DECLARES
        cdef bytes text

        if not name.replace("_", "a").isalnum() or not name.isascii():
            raise ValueError(f"a function's name has letters, digits and underscores, not {name!r}")
        if name.lower().encode() in self.functions:
            raise ValueError(f"there is a function {name!r} already")
        for flag in flags:
            text = flag.encode()
            if not code_flag(text, len(text)):
                raise ValueError(f"there is no such flag of a function: {flag!r}")
            bits |= code_flag(text, len(text))
        self.functions[name.lower().encode()] = code_of(name.encode(), function, bits)

    def add_command(self, str name not None, function, int arity, flags, keys, categories, str doc, str since):
        """Have a command: function(context, *args). Errors: ValueError."""
        cdef CommandTable table = <CommandTable>self.engine.commands
        cdef Engine engine = self.engine
        cdef bytes text = name.lower().encode()
        cdef int bits = NOSCRIPT

        if not name.isascii() or not name.isprintable() or " " in name or "|" in name or not name:
            raise ValueError(f"a command's name is one word, not {name!r}")
        if text in table.by_name:
            raise ValueError(f"there is a command {name!r} already")
        if arity == 0:
            raise ValueError("arity counts the name: it is not 0")
        unknown = set(flags) - COMMAND_FLAGS.keys() or set(categories) - set(ACL_CATEGORIES)
        if unknown:
            raise ValueError(f"there are no such flags or categories: {', '.join(sorted(unknown))}")
        for flag in flags:
            bits |= COMMAND_FLAGS[flag]
        if bits & WRITE and bits & READONLY:
            raise ValueError("a command is `write` or `readonly`, not both")
        index = engine.stats_count
        engine.room_for_stats(index + 1)
        code = code_of(text, function, 0 if bits & WRITE else CODE_NO_WRITES)
        declaration = Declaration(name=text, group="module", arity=arity, flags=bits, keys=key_specs(keys),
                                  acl=tuple(categories), since=since, summary=doc)
        table.add(text, Command(declaration, partial(run_command, code), index))


def run_command(code, Client c not None):
    """Handler of a command that the program has declared."""
    cdef tuple args = tuple([arg_bytes(&c.argv[i]) for i in range(1, c.argc)])

    run_code(c, code, args, False)
