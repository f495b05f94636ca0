"""Names as they may stand in a sentence: what is written from right to left stays in its place."""

import re
import unicodedata

FIRST_STRONG, POP = "\u2068", "\u2069"
"""Unicode's isolates: what stands between them takes no part in the order of what stands around them."""
REPLACEMENT = "\ufffd"
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})
_CONTROLS = re.compile("[\u202a-\u202e\u2066-\u2069\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029]")
"""What turns the order of a text around until something ends that, and what no screen shows."""


def shown(name: str) -> str:
    """The name with what turns text around made visible, so that it cannot look like another one."""
    return _CONTROLS.sub(REPLACEMENT, name)


def isolated(name: str) -> str:
    """The name for the middle of a sentence; one that is written from left to right stays as it is."""
    name = shown(name)
    is_turned = any(unicodedata.bidirectional(character) in _RIGHT_TO_LEFT for character in name)
    return f"{FIRST_STRONG}{name}{POP}" if is_turned else name
