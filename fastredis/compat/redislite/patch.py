"""Have programs that make a redis.Redis get one of a database file."""

import os
from typing import Any

import redis

from fastredis.compat.redislite.client import Redis, StrictRedis

KINDS: dict[str, Any] = {"Redis": Redis, "StrictRedis": StrictRedis}
original_classes: dict[str, Any] = {}           # what was there, by name


def _patch(name: str, dbfile: str | None) -> None:
    if name not in original_classes:
        if dbfile:
            KINDS[name].default_file = os.path.abspath(dbfile)
        original_classes[name] = getattr(redis, name)
        setattr(redis, name, KINDS[name])


def _unpatch(name: str) -> None:
    if name in original_classes:
        setattr(redis, name, original_classes.pop(name))
        KINDS[name].default_file = None


def patch_redis_Redis(dbfile: str | None = None) -> None:
    """redis.Redis(): of this file, or each of one of its own."""
    _patch("Redis", dbfile)


def unpatch_redis_Redis() -> None:
    _unpatch("Redis")


def patch_redis_StrictRedis(dbfile: str | None = None) -> None:
    """redis.StrictRedis(): of this file, or each of one of its own."""
    _patch("StrictRedis", dbfile)


def unpatch_redis_StrictRedis() -> None:
    _unpatch("StrictRedis")


def patch_redis(dbfile: str | None = None) -> None:
    """Both."""
    for name in KINDS:
        _patch(name, dbfile)


def unpatch_redis() -> None:
    for name in KINDS:
        _unpatch(name)
