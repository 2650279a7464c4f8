"""import-mode. The design comment is in importing.pxd, and all that runs."""
