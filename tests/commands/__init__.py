"""Commands by group: cases as data, each also run on a real redis-server when there is one."""
