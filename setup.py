"""Build of the Cython extensions: one extension for each .pyx below fastredis/.

Environment:
    FASTREDIS_BUILD   release (default), debug, asan or refnanny
    FASTREDIS_PROBES  1: build the test probes in tests/ as well (never in a wheel)
    FASTREDIS_ONLY    comma separated module paths, to rebuild just these
"""
import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

ROOT = Path(__file__).parent
BUILD = os.environ.get("FASTREDIS_BUILD", "release")

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
    if os.environ.get("FASTREDIS_PROBES"):
        sources += sorted((ROOT / "tests").rglob("*.pyx"))
    names = {str(path.relative_to(ROOT).with_suffix("")).replace("/", "."): path for path in sources}
    only = os.environ.get("FASTREDIS_ONLY")
    chosen = only.split(",") if only else names
    # There allocations fail when a test says so.
    probes = {"fastredis.ds.alloc": [("FASTREDIS_PROBES", "1")]} if os.environ.get("FASTREDIS_PROBES") else {}
    return [
        Extension(name, [str(names[name].relative_to(ROOT))], extra_compile_args=COMPILE_ARGS,
                  extra_link_args=LINK_ARGS, define_macros=MACROS + probes.get(name, []))
        for name in chosen
    ]


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


setup(options={"build_ext": {"parallel": os.cpu_count()}}, ext_modules=mended(cythonize(
    extensions(), compiler_directives=DIRECTIVES, nthreads=os.cpu_count() or 1,
    build_dir=f"build/cython-{BUILD}", show_all_warnings=False, force=bool(os.environ.get("FASTREDIS_FORCE")))))
