"""Record what an event loop does, from inside the observed process.

Imports the standard library, `records`, `ring` and `errors`; nothing else.
"""
