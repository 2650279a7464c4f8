"""The flags of commands for Python. They are in flags.pxd."""
