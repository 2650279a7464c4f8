"""A directory by its descriptor: the setting `dir`, and what file names of the server are relative to.

The process's own working directory is not asked: it belongs to the program, and there may be several engines in it. As
with a working directory, the files are found when the directory is moved or renamed. Absolute names are what they are.
"""

import contextlib
import errno
import os

PATH_ONLY = getattr(os, "O_PATH", os.O_RDONLY)      # needs no right to list the directory, as chdir(2) does not


class Folder:
    """A directory, from now on until it is dropped. base: what a relative path starts from. Raises OSError."""

    def __init__(self, path: str = ".", base: "Folder | None" = None):
        self.fd = -1
        self._given = os.path.abspath(os.path.join(base.path if base is not None else "", path))
        self.fd = os.open(path, PATH_ONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=base.fd if base is not None else None)

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Nothing is looked for in it any more."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    @property
    def path(self) -> str:
        """Where it is now; "" if it has no name any more."""
        try:
            path = os.readlink(f"/proc/self/fd/{self.fd}")
        except OSError:
            path = self._given
        with contextlib.suppress(OSError):
            if os.path.samestat(os.stat(path), os.fstat(self.fd)):
                return path
        return ""

    def absolute(self, name: str) -> str:
        """The whole path of a name."""
        return os.path.join(self.path, name)

    def reach(self, name: str) -> str:
        """A name for calls that know no descriptors of directories: as short as it can be, for a socket's."""
        with contextlib.suppress(OSError):
            if os.path.samestat(os.stat("."), os.fstat(self.fd)):
                return name
        return self.absolute(name)

    def open(self, name: str, flags: int, mode: int = 0o666) -> int:
        """A descriptor, as os.open() gives it, which no other program inherits. Raises OSError."""
        return os.open(name, flags | os.O_CLOEXEC, mode, dir_fd=self.fd)

    def rename(self, old: str, new: str, source: "Folder | None" = None) -> None:
        """source: where the old name is, if not here. Raises OSError."""
        os.rename(old, new, src_dir_fd=(source or self).fd, dst_dir_fd=self.fd)

    def remove(self, name: str) -> None:
        """Raises OSError."""
        os.unlink(name, dir_fd=self.fd)

    def make(self, name: str, mode: int) -> None:
        """A directory in it. Raises OSError."""
        os.mkdir(name, mode, dir_fd=self.fd)

    def size(self, name: str) -> int:
        """Bytes. Raises OSError."""
        return os.stat(name, dir_fd=self.fd).st_size

    def truncate(self, name: str, size: int) -> None:
        """Raises OSError."""
        descriptor = self.open(name, os.O_WRONLY)
        try:
            os.ftruncate(descriptor, size)
        finally:
            os.close(descriptor)

    def has(self, name: str) -> bool:
        with contextlib.suppress(OSError):
            os.stat(name, dir_fd=self.fd)
            return True
        return False

    def sync(self, name: str = "") -> None:
        """Make the names in it, or in a directory in it, durable, where the file system can do that. Raises OSError."""
        descriptor = self.open(name or ".", os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno not in (errno.EBADF, errno.EINVAL):
                raise
        finally:
            os.close(descriptor)
