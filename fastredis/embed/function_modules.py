"""`function-module path.py [argument ...]` in redis.conf: functions and commands in Python without a program around.

The file (a relative path begins at `dir`) is run at the start, before data are loaded, and its function
register(server, *arguments) is called: `server` has .function and .command, which are fastredis.Server's. It can't be
set while the server runs, as whoever may say which file that is may do everything.
"""

import runpy
import traceback
from collections.abc import Callable
from typing import Any

from fastredis.config.config import Directive, FatalConfigError
from fastredis.embed.declaring import Declaring, extensions_of
from fastredis.embed.extensions import Extensions

ENTRY = "register"


class Registrar(Declaring):
    """What a module's register() gets."""

    def __init__(self, engine: Any):
        self._engine = engine

    def _declare(self, declare: Callable[[Extensions], None]) -> None:
        declare(extensions_of(self._engine))


def load_modules(engine: Any) -> None:
    """Run the files that the settings name. Errors: FatalConfigError."""
    for directive in engine.config.function_modules:
        load_module(engine, directive)


def load_module(engine: Any, directive: Directive) -> None:
    path, *arguments = directive.argv[1:]
    try:
        names = runpy.run_path(engine.config["dir"].absolute(path), run_name="fastredis_module")
        if not callable(names.get(ENTRY)):
            raise directive.fatal(f"{path} has no function {ENTRY}(server)")
        names[ENTRY](Registrar(engine), *arguments)
    except FatalConfigError:
        raise
    except (Exception, SystemExit) as error:
        refusal = directive.fatal(f"{path} failed: {type(error).__name__}: {error}")
        engine.log.warning(f"{path} failed with an exception\n{traceback.format_exc()}")
        raise refusal from None
    engine.log.notice(f"Function module loaded: {path}")
