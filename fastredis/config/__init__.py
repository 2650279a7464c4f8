"""Parameters: their table, their types, reading and rewriting of files."""
