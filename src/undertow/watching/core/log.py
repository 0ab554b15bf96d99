"""The logger through which a watch speaks to people: `logging.getLogger("undertow")`."""

from __future__ import annotations

import logging

LOG = logging.getLogger("undertow")
