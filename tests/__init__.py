"""Tests of fastredis: rows per command group, structures against models, files, replication."""
