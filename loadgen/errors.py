"""Name what can go wrong with a load run before or around it.

```text
LoadError
├── UsageError    a flag or address makes no sense, or is not allowed
└── StartError    a generator process or the demo app did not start
```

What happens to single requests is never an exception of ours: it is counted by kind.
"""

from __future__ import annotations


class LoadError(Exception):
    """The base of all errors of the load generator."""


class UsageError(LoadError):
    """A flag or address makes no sense, or is not allowed."""


class StartError(LoadError):
    """A generator process or the demo app did not start."""
