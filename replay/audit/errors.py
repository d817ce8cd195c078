"""What an audit adds to the error tree of the domain.

CorruptHistory
└── LogAltered       what the log holds is not what was hashed when it was written
DaybookError
├── KeyUnusable      the key that signs checkpoints is none
└── NoteMalformed    a text is no checkpoint
"""

from domain.errors import CorruptHistory, DaybookError


class LogAltered(CorruptHistory):
    """The log is not what it was when its events were hashed (`audit.log_altered`); nothing more is hashed until that is cleared up."""


class KeyUnusable(DaybookError):
    """The key for signing checkpoints is malformed (`audit.key_malformed`)."""


class NoteMalformed(DaybookError):
    """A text is no signed checkpoint (`audit.note_malformed`)."""
