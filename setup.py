"""Build of the Cython extensions: one extension for each .pyx below fastredis/.

Environment:
    FASTREDIS_BUILD   release (default), debug, asan or refnanny
    FASTREDIS_PROBES  1: build the test probes in tests/ as well (never in a wheel)
    FASTREDIS_ONLY    comma separated module paths, to rebuild just these
    FASTREDIS_FORCE   1: translate all modules to C again
"""
import os
import shutil
import sys
import sysconfig
import threading
import time
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.modified import newer_group

ROOT = Path(__file__).parent
BUILD = os.environ.get("FASTREDIS_BUILD", "release")
PROBES = os.environ.get("FASTREDIS_PROBES", "")
PROBES_FILE = ROOT / "build" / f"probes-{BUILD}"        # what PROBES was when the allocator was compiled

COMPILE_ARGS = ["-fno-strict-aliasing", "-fvisibility=hidden", "-Wno-sign-compare"]
LINK_ARGS = []
MACROS = []
DIRECTIVES = {
    "language_level": 3,
    "boundscheck": False,
    "wraparound": False,
    "cdivision": True,
    "initializedcheck": False,
    "embedsignature": True,
    "auto_pickle": False,       # this and the next make modules smaller by a quarter
    "binding": False,
    "freethreading_compatible": False,
}
if BUILD == "release":
    COMPILE_ARGS += ["-O3", "-g0"]
    MACROS += [("NDEBUG", "1"), ("CYTHON_WITHOUT_ASSERTIONS", "1")]
elif BUILD == "debug":
    COMPILE_ARGS += ["-O0", "-g", "-UNDEBUG"]
elif BUILD == "asan":
    COMPILE_ARGS += ["-O1", "-g", "-UNDEBUG", "-fsanitize=address,undefined", "-fno-sanitize=alignment",
                     "-fno-omit-frame-pointer"]
    LINK_ARGS += ["-fsanitize=address,undefined"]
elif BUILD == "refnanny":
    COMPILE_ARGS += ["-O0", "-g", "-UNDEBUG"]
    MACROS += [("CYTHON_REFNANNY", "1")]
else:
    raise SystemExit(f"FASTREDIS_BUILD={BUILD!r} is none of release, debug, asan, refnanny")


def extensions():
    sources = sorted((ROOT / "fastredis").rglob("*.pyx"))
    if PROBES:
        sources += sorted((ROOT / "tests").rglob("*.pyx"))
    names = {str(path.relative_to(ROOT).with_suffix("")).replace("/", "."): path for path in sources}
    only = os.environ.get("FASTREDIS_ONLY")
    chosen = only.split(",") if only else names
    special = {"fastredis.ds.alloc": allocator()}
    return [
        Extension(name, [str(names[name].relative_to(ROOT))], extra_compile_args=COMPILE_ARGS,
                  extra_link_args=LINK_ARGS, **special.get(name, {"define_macros": MACROS}))
        for name in chosen
    ]


def allocator():
    """How the allocator is compiled: with probes allocations fail when a test says so."""
    return {"define_macros": MACROS + ([("FASTREDIS_PROBES", "1")] if PROBES else []),
            "depends": [str(PROBES_FILE.relative_to(ROOT))]}


def note_probes():
    """When that changes the allocator is compiled anew."""
    if not PROBES_FILE.exists() or PROBES_FILE.read_text() != PROBES:
        PROBES_FILE.parent.mkdir(exist_ok=True)
        PROBES_FILE.write_text(PROBES)


def mended(modules):
    """The modules, with a bug of Cython 3.3 out of their C files.

    A list comprehension that can't grow its list there drops the reference to the item twice: where memory runs out, it
    would be broken as well.
    """
    append = "    int result = PyList_Append(list, x);\n"
    for module in modules:
        file = Path(module.sources[0])
        text = file.read_text()
        right = text.replace(append + "    Py_DECREF(x);\n", append + "    if (result == 0) Py_DECREF(x);\n")
        if right != text:
            file.write_text(right)
    return modules


def require_compiler(command):
    """End with one sentence if there is no C compiler (the words of its command), or no header of Python."""
    programs = command[:2] if os.path.basename(command[0]) == "ccache" else command[:1]
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        raise SystemExit(f"fastredis is compiled when it is installed, and there is no C compiler {missing[0]!r} here: "
                         "install one (Debian: apt install gcc python3-dev; Fedora: dnf install gcc python3-devel)")
    if not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")):
        raise SystemExit("fastredis is compiled when it is installed, and the headers of Python are not here: "
                         "install them (Debian: apt install python3-dev; Fedora: dnf install python3-devel)")


class Progress:
    """Says how far a long build is: `compiled 12 of 130, about 3 min left`, on a terminal in one line."""

    LONG = 20           # modules; a shorter build is silent
    TENTHS = 10         # parts after which a line is written where there is no terminal

    def __init__(self, files, out=sys.stdout, now=time.monotonic):
        self.sizes = {name: os.path.getsize(path) for name, path in files.items()}
        self.left = dict(self.sizes)
        self.out, self.now, self.began = out, now, now()
        self.lock = threading.Lock()

    def say(self, text):
        if len(self.sizes) >= self.LONG:
            self.out.write(f"\r\033[K{text}" if self.out.isatty() else f"{text}\n")
            self.out.flush()

    def compiled(self, name):
        with self.lock:
            if self.left.pop(name, None) is None:
                return
            total, count = len(self.sizes), len(self.sizes) - len(self.left)
            if not self.left:
                self.say(f"compiled {count} of {total}" + ("\n" if self.out.isatty() else ""))
            elif self.out.isatty() or count * self.TENTHS // total > (count - 1) * self.TENTHS // total:
                self.say(f"compiled {count} of {total}, {self.rest()}")

    def rest(self):
        """How long it still takes: it goes by the size of the files."""
        left = sum(self.left.values())
        minutes = (self.now() - self.began) * left / (sum(self.sizes.values()) - left) / 60
        return f"about {minutes:.0f} min left" if minutes >= 1 else "less than a minute left"


class Build(build_ext):
    """Translates to C only when something is to be built, so that other commands need no time and no compiler."""

    def build_extensions(self):
        require_compiler(self.compiler.compiler_so)
        note_probes()
        Progress({each.name: each.sources[0] for each in self.extensions if self.is_stale(each)}).say(
            f"translating {len(self.extensions)} modules to C, which takes a minute or two")
        modules = mended(cythonize(
            self.extensions, compiler_directives=DIRECTIVES, nthreads=int(self.parallel or 1), quiet=True,
            build_dir=f"build/cython-{BUILD}", show_all_warnings=False, force=bool(os.environ.get("FASTREDIS_FORCE"))))
        translated = {module.name: module for module in modules}
        for extension in self.extensions:
            extension.sources = translated[extension.name].sources
        self.progress = Progress({each.name: each.sources[0] for each in self.extensions if self.is_stale(each)})
        super().build_extensions()

    def is_stale(self, extension):
        return newer_group(extension.sources + extension.depends, self.get_ext_fullpath(extension.name), "newer")

    def build_extension(self, extension):
        super().build_extension(extension)
        self.progress.compiled(extension.name)


if __name__ == "__main__":
    setup(options={"build_ext": {"parallel": os.cpu_count()}}, ext_modules=extensions(), cmdclass={"build_ext": Build})
