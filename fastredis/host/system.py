"""What the system has been set to that a server suffers from: told in the log at the start, in redis-server's words."""

from pathlib import Path

from fastredis.config.config import Config

ROOT = Path("/")
OVERCOMMIT = "proc/sys/vm/overcommit_memory"        # 0: the kernel guesses whether a child's copy has room
BACKLOG = "proc/sys/net/core/somaxconn"
HUGE_PAGES = "sys/kernel/mm/transparent_hugepage/enabled"


def warnings_of_system(config: Config, root: Path = ROOT) -> list[str]:
    """What should be told. A file that is not there, or can't be read, is no reason to worry."""
    found = []
    if read(root / OVERCOMMIT) == "0":
        found.append("WARNING Memory overcommit must be enabled! A child that saves or serves a replica may get no "
                     "memory otherwise, though it needs little. Set vm.overcommit_memory to 1, with sysctl and in "
                     "/etc/sysctl.conf.")
    most = read(root / BACKLOG)
    if most.isdecimal() and int(most) < config["tcp-backlog"]:
        found.append(f"WARNING: The TCP backlog setting of {config['tcp-backlog']} cannot be enforced because "
                     f"/{BACKLOG} is set to the lower value of {most}.")
    if "[always]" in read(root / HUGE_PAGES) and not config["disable-thp"]:
        found.append("WARNING You have Transparent Huge Pages (THP) support enabled in your kernel. A child that saves "
                     f"makes this process slow and large with them. Write madvise to /{HUGE_PAGES}, or set "
                     "disable-thp.")
    return found


def read(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""
