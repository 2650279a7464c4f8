"""What is common to writing all files of the data: files that are synced, and large files that are given up."""

import contextlib
import os

from fastredis.config.folder import Folder


def sync_and_close(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def close_in_background(engine, descriptor: int) -> None:
    """Close a file that may be large and has no name any more: giving its blocks back is for another thread."""
    if engine.loop is None or not engine.loop.is_running():
        os.close(descriptor)
    else:
        engine.run_in_thread(os.close, descriptor)


def remove_in_background(engine, folder: Folder, name: str) -> None:
    """Remove a file that may be large, if it is there and can be removed."""
    with contextlib.suppress(OSError):
        descriptor = folder.open(name, os.O_RDONLY)
        folder.remove(name)
        close_in_background(engine, descriptor)
