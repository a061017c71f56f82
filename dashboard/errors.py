"""Name every error that Loopscope raises on purpose.

```text
DashboardError
├── RingError            a ring file cannot be used
│   ├── RingFormatError  it was written by an incompatible release
│   └── RingDamaged      it is truncated, or not a ring at all
├── RecorderError        recording cannot begin here
│   └── TargetError      there is no such app to record
├── RecordingError       a recording cannot be opened
│   ├── RecordingFormatError  it was written by another release
│   └── RecordingDamaged      it is none, or what it says cannot have happened
│       └── RecordingTooLarge there is more in it than is opened
├── SettingsError        a setting or flag makes no sense
├── StoryError           a story in a user's file cannot be used
└── TriggerError         a button's request cannot be carried out
    ├── UnknownScenario  (404)
    ├── BadParameter     (422)
    ├── OverBudget       (429)
    ├── ExperimentRunning (409)
    └── DemoUnavailable  (503)
```

Every message says what was found, what was needed and what to do. Nothing in
here is ever raised inside a hook: in the observed loop nothing is raised.
"""

from __future__ import annotations


class DashboardError(Exception):
    """The base of all errors of this project."""


class RingError(DashboardError):
    """A ring file cannot be used."""


class RingFormatError(RingError):
    """The ring was written by an incompatible release."""

    def __init__(self, name: str, *, found: int, known: int) -> None:
        super().__init__(
            f"{name} has ring format {found}, this dashboard reads {known}; "
            "install the same release of loopscope on both sides"
        )


class RingDamaged(RingError):
    """The file is truncated, or not a ring at all."""


class RecorderError(DashboardError):
    """Recording cannot begin here."""


class TargetError(RecorderError):
    """There is no such app to record."""


class RecordingError(DashboardError):
    """A recording cannot be opened, or not be written."""


class RecordingFormatError(RecordingError):
    """The recording was written by a release that writes them otherwise."""


class RecordingDamaged(RecordingError):
    """The file is none of ours, or what it says cannot have happened."""


class RecordingTooLarge(RecordingDamaged):
    """There is more in it than is opened; what came before can be shown."""


class SettingsError(DashboardError):
    """A setting or flag makes no sense."""


class StoryError(DashboardError):
    """A story in a user's file cannot be used."""


class TriggerError(DashboardError):
    """A button's request cannot be carried out."""


class UnknownScenario(TriggerError):
    """No scenario has this id."""


class BadParameter(TriggerError):
    """A count or parameter is not a number, or out of its range."""


class OverBudget(TriggerError):
    """Too many triggered requests are under way already."""


class ExperimentRunning(TriggerError):
    """One load experiment at a time: another is under way."""


class DemoUnavailable(TriggerError):
    """The demo app is not up, so there is nobody to send requests to."""
