"""``python -m console.cli`` is ``hookyard``."""

from __future__ import annotations

from console.cli import main

main()
