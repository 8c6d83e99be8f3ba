"""A Messages server for trying the ``anthropic`` engine without a key: it obeys the API's rules, and can
misbehave.

Run it with ``python -m economic_index.testing.fake_messages``, point ``ANTHROPIC_BASE_URL`` at it and set any
key. It checks requests against the real API's rules, counts calls and tokens with a simulated prompt cache,
answers from a labelled sample or by word overlap, and breaks in every way that ``Mischief`` names.
"""

from economic_index.testing.fake_messages.mischief import Mischief
from economic_index.testing.fake_messages.oracle import Oracle, OracleRow, fingerprint
from economic_index.testing.fake_messages.server import FakeServer, Settings

__all__ = ["FakeServer", "Mischief", "Oracle", "OracleRow", "Settings", "fingerprint"]
