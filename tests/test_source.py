"""The source itself: layers, sizes, and that every declared command has a test and a docstring."""
import os
import re
from pathlib import Path

import pytest
from fastredis.engine.command import declared_commands

from fastredis import commands
from fastredis.engine import hooks

TOP = Path(__file__).resolve().parent.parent
PACKAGE = TOP / "fastredis"
MAX_LINES = 1500
MAX_WIDTH = 120

# From the left to the right: a module imports and cimports only from layers to its left, or from its own folder
# (without cycles).
LAYERS = ["ds", "values", "text", "_resp", "config", "host", "engine", "persist", "replication", "scripting",
          "commands", "assembly", "exporter", "server", "embed", "own_process", "cli", "__main__", "redis_py", "compat",
          "pytest_plugin", "pytest_redis", "pytest_databases"]
IMPORT = re.compile(r"^\s*(?:from (fastredis[\w.]*) c?import (\([^)]*\)|.*)|c?import (fastredis[\w.]*))", re.MULTILINE)


def sources(*suffixes, top=PACKAGE):
    return [path for path in sorted(top.rglob("*"))
            if path.suffix in suffixes and "build" not in path.relative_to(top).parts]


def module_name(path):
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__") or "__init__"


ALL_MODULES = {module_name(path) for path in sources(".py", ".pyx", ".pxd")}


def imported(text):
    """The modules of this package that a source text imports, without the package's name."""
    for package, names, module in IMPORT.findall(text):
        base = (package or module).removeprefix("fastredis").removeprefix(".")
        inner = {".".join(filter(None, (base, name))) for name in re.findall(r"\w+", re.sub(r"#.*", "", names))}
        yield from inner & ALL_MODULES or {base or "__init__"}


def imports_of_all():
    """module -> set of modules that it imports when it is loaded."""
    found = {}
    for path in sources(".py", ".pyx", ".pxd"):
        found.setdefault(module_name(path), set()).update(imported(path.read_text()))
    return found


IMPORTS = imports_of_all()


def layer(module):
    return LAYERS.index(module.split(".")[0])


def test_the_importing_lines_are_found():
    """The tests below would pass on nothing."""
    assert {"_resp", "engine.core", "engine.keyspace", "engine.reply"} <= IMPORTS["engine.engine"]
    assert {"engine.declarations", "engine.flags", "engine.client"} <= IMPORTS["engine.command"]
    assert "commands.generic" in IMPORTS["commands.expiry"]
    assert "commands" in IMPORTS["assembly"]


@pytest.mark.parametrize("module", sorted(ALL_MODULES - {"__init__"}))
def test_a_module_imports_only_from_its_left(module):
    wrong = [other for other in IMPORTS[module] - {"__init__", module} if layer(other) > layer(module)]
    assert not wrong, f"{module} imports {wrong}"


def test_there_are_no_cycles():
    done = set()

    def visit(module, path):
        assert module not in path, " -> ".join([*path, module])
        if module not in done:
            for other in sorted(IMPORTS.get(module, set()) - {module}):
                visit(other, [*path, module])
            done.add(module)
    for module in sorted(ALL_MODULES):
        visit(module, [])


# Attributes of the engine that hold what belongs to a layer: `aof  # AofFiles (fastredis.persist.aof_files)`.
ATTRIBUTE = re.compile(r"^    cdef (?:public|readonly) object (\w+) +# (.*)$", re.MULTILINE)
HOME = re.compile(r"\(fastredis\.([\w.]+)\)")


def engine_attributes():
    """name -> (the module of its class, names that all layers may use of it: those of its class in engine.hooks)."""
    found = {}
    for name, comment in ATTRIBUTE.findall((PACKAGE / "engine" / "engine.pxd").read_text()):
        homes = HOME.findall(comment)
        if homes:
            hook = re.search(r"(\w+) \(fastredis\.engine\.hooks\)", comment)
            found[name] = homes[0], set(dir(getattr(hooks, hook[1]))) if hook else set()
    return found


ATTRIBUTES = engine_attributes()


def used_attributes(path):
    """(attribute of the engine, name that is used of it) in a source file's code."""
    code = re.sub(r'""".*?"""|#[^\n]*', "", path.read_text(), flags=re.DOTALL)
    names = "|".join(ATTRIBUTES)
    bases = r"(?:\bengine|self|\w+\.engine)\."
    return set(re.findall(rf"{bases}({names})\.(\w+)", code))


def test_attributes_are_found():
    assert ATTRIBUTES["aof"][0] == "persist.aof_files" and "refusal" in ATTRIBUTES["replication"][1]
    assert ("aof", "feed") in used_attributes(PACKAGE / "commands" / "waiting.pyx")


@pytest.mark.parametrize("path", sources(".py", ".pyx", ".pxd"), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_calls_only_to_its_left(path):
    """Through the engine's attributes, too: what a lower layer may ask of a higher one is a hook."""
    module = module_name(path)
    if module == "__init__":
        return
    wrong = [f"{name}.{used}" for name, used in used_attributes(path)
             if layer(ATTRIBUTES[name][0]) > layer(module) and used not in ATTRIBUTES[name][1]]
    assert not wrong, f"{module} calls {wrong}"


def test_every_layer_is_there():
    """No module is in the table that is not in the package."""
    assert {module.split(".")[0] for module in ALL_MODULES - {"__init__"}} == set(LAYERS)


# --- the text ---------------------------------------------------------------------------------

TEXTS = [path for folder in ("fastredis", "tests", "benchmarks") for path in
         sources(".py", ".pyx", ".pxd", ".pyi", top=TOP / folder)]


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(TOP)))
def test_text(path):
    text = path.read_text()
    lines = text.split("\n")
    assert len(lines) <= MAX_LINES
    assert max(map(len, lines)) <= MAX_WIDTH
    assert "\t" not in text and not re.search(r"[ ]+$", text, re.MULTILINE)
    assert text.endswith("\n") or not text
    debts = "|".join(["TO" + "DO", "FIX" + "ME", "X" * 3 + r"\b"])
    assert not re.search(debts, text)


def test_only_the_call_catches_everything():
    """`except Exception` and its like would hide bugs anywhere else.

    Or it ends the process, in the next line; host.process.Threads passes on what its jobs raise, and what a function of
    the program's raises is its reply (embed.extensions).
    """
    broad = re.compile(r"\bexcept\s*(?:\(?\s*(?:Base)?Exception\b.*)?:.*\n(?!.*\.fatal\()")
    found = {module_name(path) for path in sources(".py", ".pyx") if broad.search(path.read_text())}
    assert found == {"embed.extensions", "engine.dispatch", "engine.engine", "host.process"}


def test_only_the_keyspace_knows_its_tables():
    """A table for each slot would be a change of one module."""
    private = re.compile(r"\._(keys|expires|part_expires)\b")
    found = {module_name(path) for path in sources(".pyx", ".pxd") if private.search(path.read_text())}
    assert found == {"engine.keyspace"}


def test_no_function_swallows_exceptions_by_star():
    """`except *` costs a check after each call. parse_batch() returns an enum, and is called once a read."""
    found = {path.name for path in sources(".pyx", ".pxd")
             if re.search(r"^cdef .*\) except \*", path.read_text(), re.MULTILINE)}
    assert found <= {"_resp.pyx", "_resp.pxd"}


# Functions that Cython thinks may raise, though nobody would hear of it.
SILENT = {
    # None for bytes, or an object of another type in a list of our own.
    "engine.lines.place_bytes", "_resp.arg_of", "engine.copying.SlowCopies.before_change",
    "engine.copying.SlowCopies.before_leaving", "engine.copying.SlowCopies.concern",
    "engine.copying.SlowCopies.is_named",
    # They free all of a table by functions that raise nothing.
    "engine.blessed.Blessed.__dealloc__", "engine.keyspace.Database.__dealloc__",
    "engine.tracking.Forgotten.__dealloc__", "engine.tracking.Tracking.__dealloc__",
    "engine.keyspace.Detached.__dealloc__", "values.hash_type.hash_drain",
    "values.hash_type.table_free", "values.set_type.set_drain", "values.set_type.set_table_free",
    "values.set_type.timed_free", "values.zset_type.free_members", "values.zset_type.zset_drain",
    # A change cannot be refused because a file of the present state cannot be written: that is told elsewhere.
    "persist.snapshot.SliceSnapshot.before_change",
    # Where there is no memory to keep what changes, going back is refused. What a savepoint needs no more is freed.
    "engine.savepoints.Tree.before_change", "engine.savepoints.Space.__del__",
    # Lua is between them and whoever would hear of it. What a command raises is caught before (call_guarded).
    "scripting.run.py_call", "scripting.run.py_knows", "scripting.run.py_log", "scripting.run.Runs.interrupt",
    "scripting.run.py_trace", "scripting.run.py_breakpoint", "scripting.run.py_show",
    "scripting.debugger.Debugger.line",
    "scripting.functions.py_add_function",
    # What must be given back is given back before.
    "engine.engine.Engine.__dealloc__", "persist.syncer.Syncer.__dealloc__",
}
GENERATED = TOP / "build" / f"cython-{os.environ.get('FASTREDIS_BUILD', 'release')}" / "fastredis"


@pytest.mark.skipif(not GENERATED.is_dir(), reason="the C sources are not here: what is installed was not built here")
def test_who_is_noexcept_raises_nothing():
    """What a `noexcept` function raises is printed and forgotten. Numbers that became Python objects come out, too."""
    silent = re.compile(r'__Pyx_WriteUnraisable\("fastredis\.([\w.]+)"')
    paths = [GENERATED / path.relative_to(PACKAGE).with_suffix(".c") for path in sources(".pyx")]
    found = {name for path in paths for name in silent.findall(path.read_text(errors="replace"))}
    assert found <= SILENT


# --- commands ------------------------------------------------------------------------------------

commands.load()
COMMANDS = {command.name.decode(): command for command in declared_commands()}


def all_tests():
    """All tests as one text, in small letters."""
    return "\n".join(path.read_text() for path in sources(".py", top=TOP / "tests")
                     if path.name != "test_source.py").lower()


TESTS = all_tests()


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_command_is_tested(name):
    """Its name is the first word of a command in some test; a subcommand's after its container's."""
    words = r"""[\s"',b]+""".join(map(re.escape, name.split("|")))
    assert re.search(rf"""["'(](@\d )?{words}["' ]""", TESTS)


HANDLERS = re.compile(r'^(?:cdef int|def) (cmd_\w+)\(Client c\)[^\n]*:\n(    """(?:[^"]|"(?!""))*""")?|'
                      r'^def (cmd_\w+)\(c\):\n(    """(?:[^"]|"(?!""))*""")?', re.MULTILINE)


def handlers():
    """[(name, docstring)] of all handlers."""
    found = []
    for path in sources(".py", ".pyx", top=PACKAGE / "commands"):
        for first, first_doc, second, second_doc in HANDLERS.findall(path.read_text()):
            found.append(pytest.param(first or second, first_doc or second_doc, id=f"{path.name}:{first or second}"))
    return found


def test_the_handlers_are_found():
    assert len(handlers()) > 100


@pytest.mark.parametrize("name, doc", handlers())
def test_handler_says_what_it_replies(name, doc):
    """`NAME arguments -> reply`, in the first paragraph."""
    assert doc, f"{name} has no docstring"
    assert "->" in doc.split("\n\n")[0], doc
    first = doc.strip().strip('"').split()[0]
    assert first.strip(",").lower() in {command.split("|")[0] for command in COMMANDS}, doc
