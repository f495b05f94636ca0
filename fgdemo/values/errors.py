"""Everything fgdemo raises on purpose.

    FgdemoError
    ├── SettingsError     a setting or a command-line value is wrong
    ├── PictureError      a picture (upload, file) cannot be used
    ├── DatasetError      a folder, table or Hub data set cannot be read as labelled pictures
    ├── TaxonomyError     the tree of taxa is inconsistent, or a taxon is not in it
    ├── BackboneError     no such backbone, or its weights do not fit
    ├── CheckpointError   a checkpoint folder is incomplete, damaged or unsafe
    ├── StorageError      the workspace cannot be read or written
    │   ├── UnavailableError  … just now; the same may work later
    │   └── StaleError        what was answered is no longer what stands there
    ├── HubError          the Hugging Face Hub refuses, or cannot be reached
    ├── TrainingError     a training cannot be started or ended so, or a model cannot go live
    ├── BusyError         more is asked just now than can be answered; the same works a moment later
    └── ForbiddenError    the person has no right to do this

The message of each may be shown to a person as it is: it says what is wrong, in which file or field,
and what to do. It never holds a path the person did not give, or a traceback.
"""


class FgdemoError(Exception):
    """Base of all errors whose message is meant for a person."""


class SettingsError(FgdemoError):
    """A setting or a command-line value is wrong."""


class PictureError(FgdemoError):
    """A picture cannot be used."""


class DatasetError(FgdemoError):
    """A source of labelled pictures cannot be read."""


class TaxonomyError(FgdemoError):
    """The tree of taxa is inconsistent, or a taxon is not in it."""


class BackboneError(FgdemoError):
    """There is no such backbone, or its weights do not fit it."""


class CheckpointError(FgdemoError):
    """A checkpoint folder is incomplete, damaged or unsafe."""


class StorageError(FgdemoError):
    """The workspace cannot be read or written."""


class UnavailableError(StorageError):
    """The workspace cannot be read or written just now (disk full, server away): the same may work later."""


class StaleError(StorageError):
    """What was answered is no longer what stands there."""


class HubError(FgdemoError):
    """The Hugging Face Hub refuses, or cannot be reached."""


class TrainingError(FgdemoError):
    """A training cannot be started, goes wrong or cannot be ended so, or a model cannot go live."""


class BusyError(FgdemoError):
    """More is asked just now than can be answered; the same works after `retry_after_s` seconds."""

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ForbiddenError(FgdemoError):
    """The person has no right to do this."""
