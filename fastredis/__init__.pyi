from fastredis.embed.db import Db as Db
from fastredis.embed.errors import ClosedError as ClosedError
from fastredis.embed.errors import FastredisError as FastredisError
from fastredis.embed.errors import ReplyError as ReplyError
from fastredis.embed.errors import ServerError as ServerError
from fastredis.embed.errors import SettingError as SettingError
from fastredis.embed.errors import WouldBlockError as WouldBlockError
from fastredis.embed.events import Event as Event
from fastredis.embed.events import EventStream as EventStream
from fastredis.embed.events import Subscription as Subscription
from fastredis.embed.extensions import Context as Context
from fastredis.embed.faults import Fault as Fault
from fastredis.embed.faults import Faults as Faults
from fastredis.embed.local import LocalClient as LocalClient
from fastredis.embed.named import url as url
from fastredis.embed.pipeline import Pipeline as Pipeline
from fastredis.embed.server import AsyncServer as AsyncServer
from fastredis.embed.server import Server as Server
from fastredis.embed.snapshots import Snapshot as Snapshot
from fastredis.engine.declarations import key_at as key_at
from fastredis.engine.declarations import key_count as key_count
from fastredis.engine.declarations import key_range as key_range
from fastredis.redis_py import aconnect as aconnect
from fastredis.redis_py import connect as connect

__version__: str
REDIS_VERSION: str
ALLOCATOR: str

def build_id() -> str: ...
def run(argv: list[str] | None = None) -> int: ...
