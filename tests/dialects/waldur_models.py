"""Waldur's client for Python, made lighter: its package of models imports thousands of classes, for five seconds.

Imported before the client, this puts an empty package in its place, so that only those modules of it are imported that
somebody needs.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

client = find_spec("waldur_api_client")
if client is not None and client.origin is not None:
    models = ModuleType("waldur_api_client.models")
    models.__path__ = [str(Path(client.origin).with_name("models"))]
    sys.modules[models.__name__] = models
