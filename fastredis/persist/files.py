"""What is common to writing all files of the data: durable names, and large files that are given up."""

import contextlib
import errno
import os


def here() -> str:
    """The working directory; "" if it has no name any more."""
    try:
        return os.getcwd()
    except OSError:
        return ""


def sync_and_close(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_directory(path: str) -> None:
    """Make the names in a directory durable, where the file system can do that. Raises OSError."""
    descriptor = os.open(path or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EBADF, errno.EINVAL):
            raise
    finally:
        os.close(descriptor)


def close_in_background(loop, descriptor: int) -> None:
    """Close a file that may be large and has no name any more: giving its blocks back is for another thread."""
    if loop is None or not loop.is_running():
        os.close(descriptor)
    else:
        loop.run_in_executor(None, os.close, descriptor)


def remove_in_background(loop, path: str) -> None:
    """Remove a file that may be large, if it is there and can be removed."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        os.unlink(path)
        close_in_background(loop, descriptor)
