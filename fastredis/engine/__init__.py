"""The engine: clients, commands, the keyspace and what connects them."""
