"""Functions: FUNCTION and its subcommands, FCALL. What they stand on is in fastredis.scripting.functions.

They belong to the group "scripting". Those of FUNCTION are as if in plain Python: nobody calls them in a loop.
"""

from libc.stdint cimport int64_t

from fastredis._resp cimport arg_bytes
from fastredis.ds.glob cimport glob_match
from fastredis.ds.native cimport monotonic_us
from fastredis.engine.client cimport Client
from fastredis.engine.command cimport native
from fastredis.engine.flags cimport (
    ALLOW_BUSY, CONTAINER, DENYOOM, LOADING, MAY_REPLICATE, NO_MANDATORY_KEYS, NOSCRIPT, READONLY, SKIP_MONITOR, STALE,
    WRITE,
)
from fastredis.scripting.functions cimport LOAD_MS, Function, Library, LibrarySet
from fastredis.scripting.run cimport flag_names, get_keys_or_reply, show_call
from fastredis.scripting.scripts cimport Scripts

from fastredis.commands.help_text import help_lines
from fastredis.engine.command import declarer
from fastredis.engine.declarations import key_count
from fastredis.engine.hooks import BadLibraryError
from fastredis.engine.reply import ErrorReply, Status
from fastredis.persist.rdb_functions import BadPayloadError, dump_libraries, read_libraries
from fastredis.scripting.lua_api import LuaMissing
from fastredis.text import to_text

declare = declarer("scripting")

ON_ALL_SHARDS = ("request_policy:all_shards", "response_policy:all_succeeded")
OK = Status("OK")

HELP = """
DELETE <LIBRARY NAME>
    Delete the given library.
DUMP
    Return a serialized payload representing the current libraries, can be restored using FUNCTION RESTORE command
FLUSH [ASYNC|SYNC]
    Delete all the libraries.
    When called without the optional mode argument, the behavior is determined by the
    lazyfree-lazy-user-flush configuration directive. Valid modes are:
    * ASYNC: Asynchronously flush the libraries.
    * SYNC: Synchronously flush the libraries.
KILL
    Kill the current running function.
LIST [LIBRARYNAME PATTERN] [WITHCODE]
    Return general information on all the libraries:
    * Library name
    * The engine used to run the Library
    * Functions list
    * Library code (if WITHCODE is given)
    It also possible to get only function that matches a pattern using LIBRARYNAME argument.
LOAD [REPLACE] <FUNCTION CODE>
    Create a new library with the given library name and code.
RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]
    Restore the libraries represented by the given payload, it is possible to give a restore policy to
    control how to handle existing libraries (default APPEND):
    * FLUSH: delete all existing libraries.
    * APPEND: appends the restored libraries to the existing libraries. On collision, abort.
    * REPLACE: appends the restored libraries to the existing libraries, On collision, replace the old
      libraries with the new libraries (notice that even on this option there is a chance of failure
      in case of functions name collision with another library).
STATS
    Return information about the current function running:
    * Function name
    * Command used to run the function
    * Duration in MS that the function is running
    If no function is running, return nil
    In addition, returns a list of available engines.
"""


# --- calls ------------------------------------------------------------------------------

cdef int call_function(Client c, bint read_only) except -1:
    cdef LibrarySet libraries = (<Scripts>c.engine.scripts).functions.libraries
    cdef Function function = libraries.find(c.argv[1].ptr, c.argv[1].size)
    cdef int keys

    show_call(c)
    if function is None and c.engine.extensions is not None:
        extension = c.engine.extensions.find(arg_bytes(&c.argv[1]))
        if extension is not None:
            if get_keys_or_reply(c, &keys, b"ERR Bad number of keys provided"):
                c.engine.extensions.run(c, extension, keys, read_only)
            return 0
    if function is None:
        if libraries.by_name and libraries.lua.vm is NULL:      # they are only kept
            return c.error_text(b"ERR functions can't run on this server: it has no Lua")
        return c.error_text(b"ERR Function not found")
    if not get_keys_or_reply(c, &keys, b"ERR Bad number of keys provided"):
        return 0
    return libraries.lua.runs.run(c, libraries.lua.vm, function, 3, keys, read_only)


cdef int cmd_fcall(Client c) except -1:
    """FCALL function numkeys [key ...] [arg ...] -> what the function returns, called with two tables.

    Errors: there is no such function; numkeys; its flags forbid it now; whatever it raises.
    Source: https://redis.io/commands/fcall
    """
    return call_function(c, False)

declare(
    b"fcall", native(cmd_fcall), arity=-3,
    flags=NOSCRIPT | SKIP_MONITOR | STALE | NO_MANDATORY_KEYS | MAY_REPLICATE,
    keys=key_count(2, "RW access update"), since="7.0.0",
    complexity="Depends on the function",
    summary="Calls a function.",
    args="function numkeys:integer [key...] [arg...]",
)


cdef int cmd_fcall_ro(Client c) except -1:
    """FCALL_RO function numkeys [key ...] [arg ...] -> what the function returns; it must have the flag no-writes.

    Errors: as FCALL.
    Source: https://redis.io/commands/fcall_ro
    """
    return call_function(c, True)

declare(
    b"fcall_ro", native(cmd_fcall_ro), arity=-3, flags=NOSCRIPT | SKIP_MONITOR | STALE | NO_MANDATORY_KEYS | READONLY,
    keys=key_count(2, "RO access"), since="7.0.0",
    complexity="Depends on the function",
    summary="Calls a function that only reads.",
    args="function numkeys:integer [key...] [arg...]",
)


# --- libraries ----------------------------------------------------------------------------

declare(
    b"function", None, arity=-2, flags=CONTAINER, since="7.0.0",
    complexity="Depends on the subcommand",
    summary="Looks after libraries of functions.",
)


cdef error(bytes text):
    """An ErrorReply with what somebody wrote in it."""
    return ErrorReply("ERR " + to_text(text))


def wrong_arguments(Client c not None):
    return error(b"unknown subcommand or wrong number of arguments for '%s'. Try FUNCTION HELP."
                 % arg_bytes(&c.argv[1])[:128])


def no_lua(Client c not None, missing):
    c.engine.log.warning(f"Functions can't run: {missing}")
    return ErrorReply(f"ERR functions can't run on this server: {missing}")


def cmd_function_load(Client c not None):
    """FUNCTION LOAD [REPLACE] code -> bulk: the library's name.

    Errors: another word; the first line; the code can't be compiled, or fails; it has no function, or one of a name
    that another library's has; there is such a library (without REPLACE).
    Source: https://redis.io/commands/function-load
    """
    cdef LibrarySet libraries = (<Scripts>c.engine.scripts).functions.libraries
    cdef Library library
    cdef int64_t deadline_us = 0 if c.core.obeying else monotonic_us() + LOAD_MS * 1000
    cdef bint replace = False

    for word in c.args[2:c.argc - 1]:
        if word.lower() != b"replace":
            raise error(b"Unknown option given: " + word)
        replace = True
    try:
        library = libraries.load(arg_bytes(&c.argv[c.argc - 1]), replace, deadline_us)
    except BadLibraryError as problem:
        raise error(problem.text) from None
    except LuaMissing as missing:
        raise no_lua(c, missing) from None
    c.core.dirty += 1
    c.reply(library.name)


declare(
    b"function|load", cmd_function_load, arity=-3, flags=WRITE | DENYOOM | NOSCRIPT, since="7.0.0", tips=ON_ALL_SHARDS,
    complexity="O(1), and what the code does",
    summary="Has the server know a library of functions.",
    args="[REPLACE] function-code",
)


def cmd_function_delete(Client c not None):
    """FUNCTION DELETE library-name -> OK.

    Errors: there is no such library.
    Source: https://redis.io/commands/function-delete
    """
    if not (<Scripts>c.engine.scripts).functions.libraries.delete(arg_bytes(&c.argv[2])):
        raise error(b"Library not found")
    c.core.dirty += 1
    c.reply(OK)


declare(
    b"function|delete", cmd_function_delete, arity=3, flags=WRITE | NOSCRIPT, since="7.0.0", tips=ON_ALL_SHARDS,
    complexity="O(1)",
    summary="Deletes a library and its functions.",
    args="library-name",
)


def cmd_function_flush(Client c not None):
    """FUNCTION FLUSH [ASYNC | SYNC] -> OK; there are no libraries any more, and nothing of what they did in Lua.

    Errors: another word.
    Source: https://redis.io/commands/function-flush
    """
    if c.argc > 3:
        raise wrong_arguments(c)
    if c.argc == 3 and arg_bytes(&c.argv[2]).lower() not in (b"sync", b"async"):
        raise error(b"FUNCTION FLUSH only supports SYNC|ASYNC option")
    (<Scripts>c.engine.scripts).functions.use(None)
    c.core.dirty += 1
    c.reply(OK)


declare(
    b"function|flush", cmd_function_flush, arity=-2, flags=WRITE | NOSCRIPT, since="7.0.0", tips=ON_ALL_SHARDS,
    complexity="O(N) with N being the number of functions",
    summary="Deletes all libraries.",
    args="[flush-type=(ASYNC | SYNC)]",
)


def cmd_function_dump(Client c not None):
    """FUNCTION DUMP -> bulk: all libraries as in an RDB file, version and checksum.

    Source: https://redis.io/commands/function-dump
    """
    c.reply(dump_libraries(c.engine))


declare(
    b"function|dump", cmd_function_dump, arity=2, flags=NOSCRIPT, since="7.0.0",
    complexity="O(N) with N being the number of functions",
    summary="Returns all libraries as bytes that FUNCTION RESTORE takes.",
)


def cmd_function_restore(Client c not None):
    """FUNCTION RESTORE payload [FLUSH | APPEND | REPLACE] -> OK; all of its libraries are there, or none.

    Errors: another word; version, checksum or contents of the payload; names that are there already.
    Source: https://redis.io/commands/function-restore
    """
    cdef LibrarySet restored

    if c.argc > 4:
        raise wrong_arguments(c)
    policy = arg_bytes(&c.argv[3]).lower() if c.argc == 4 else b"append"
    if policy not in (b"flush", b"append", b"replace"):
        raise error(b"Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.")
    functions = c.engine.scripts.functions
    restored = functions.new() if policy == b"flush" else functions.beside()
    try:
        for code in read_libraries(c.engine, arg_bytes(&c.argv[2])):
            restored.load(code, False, 0)
        if policy == b"flush":
            functions.use(restored)
        else:
            functions.libraries.join(restored, policy == b"replace")
    except (BadPayloadError, BadLibraryError) as problem:
        restored.discard()
        raise error(problem.text) from None
    except LuaMissing as missing:
        raise no_lua(c, missing) from None
    c.core.dirty += 1
    c.reply(OK)


declare(
    b"function|restore", cmd_function_restore, arity=-3, flags=WRITE | DENYOOM | NOSCRIPT, since="7.0.0",
    tips=ON_ALL_SHARDS,
    complexity="O(N) with N being the number of functions in the payload",
    summary="Adds libraries from the bytes that FUNCTION DUMP returned.",
    args="serialized-value [policy=(FLUSH | APPEND | REPLACE)]",
)


# --- what there is ------------------------------------------------------------------------

cdef dict describe(Library library, bint with_code):
    cdef Function function

    shown = {
        "library_name": library.name,
        "engine": "LUA",
        "functions": [
            {"name": function.name, "description": function.description,
             "flags": tuple(Status(name.decode()) for name in flag_names(function.flags))}
            for function in library.functions.values()],
    }
    if with_code:
        shown["library_code"] = library.code
    return shown


def cmd_function_list(Client c not None):
    """FUNCTION LIST [LIBRARYNAME pattern] [WITHCODE] -> array of maps: name, engine, functions, code.

    Errors: another word, or one of them twice.
    Source: https://redis.io/commands/function-list
    """
    cdef Library library
    cdef bytes pattern = None
    cdef bint with_code = False
    cdef list words = c.args[2:]

    while words:
        word = words.pop(0)
        if word.lower() == b"withcode" and not with_code:
            with_code = True
        elif word.lower() == b"libraryname" and pattern is None:
            if not words:
                raise error(b"library name argument was not given")
            pattern = words.pop(0)
        else:
            raise error(b"Unknown argument " + word)
    c.reply([
        describe(library, with_code) for library in (<Scripts>c.engine.scripts).functions.libraries.by_name.values()
        if pattern is None or glob_match(pattern, len(pattern), library.name, len(library.name), True)])


declare(
    b"function|list", cmd_function_list, arity=-2, flags=NOSCRIPT, since="7.0.0",
    tips=("nondeterministic_output_order",),
    complexity="O(N) with N being the number of functions",
    summary="Returns what the libraries are.",
    args="[LIBRARYNAME library-name-pattern] [WITHCODE]",
)


def cmd_function_stats(Client c not None):
    """FUNCTION STATS -> map: the function that runs, or nil; how many libraries and functions there are.

    Errors: BUSY, a script runs that is no function.
    Source: https://redis.io/commands/function-stats
    """
    cdef LibrarySet libraries = (<Scripts>c.engine.scripts).functions.libraries

    c.reply({
        "running_script": (<Scripts>c.engine.scripts).runs.running_function(),
        "engines": {"LUA": {"libraries_count": len(libraries.by_name), "functions_count": libraries.function_count}},
    })


declare(
    b"function|stats", cmd_function_stats, arity=2, flags=NOSCRIPT | ALLOW_BUSY, since="7.0.0",
    tips=("nondeterministic_output", "request_policy:all_shards", "response_policy:special"),
    complexity="O(1)",
    summary="Returns which function runs, and how many there are.",
)


cdef int cmd_function_kill(Client c) except -1:
    """FUNCTION KILL -> OK; the function under way, which runs too long, will end with an error.

    Errors: NOTBUSY, none is; UNKILLABLE, it has written; BUSY, it is a script of EVAL.
    Source: https://redis.io/commands/function-kill
    """
    return (<Scripts>c.engine.scripts).runs.kill_or_reply(c, True)


declare(
    b"function|kill", native(cmd_function_kill), arity=2, flags=NOSCRIPT | ALLOW_BUSY, since="7.0.0",
    tips=("request_policy:all_shards", "response_policy:one_succeeded"),
    complexity="O(1)",
    summary="Ends the function that runs.",
)


def cmd_function_help(Client c not None):
    """FUNCTION HELP -> array of simple strings."""
    c.reply(help_lines("FUNCTION", HELP))


declare(
    b"function|help", cmd_function_help, arity=2, flags=LOADING | STALE, since="7.0.0",
    complexity="O(1)",
    summary="Explains the subcommands of FUNCTION.",
)
