"""What a web server does in its first second, so that nobody waits for it in a page."""

from __future__ import annotations

from threading import Thread

from flask import Flask

from console import garbage


def warm(app: Flask) -> None:
    """Compile all templates, which takes a page up to 0.1 s the first time; then leave them to no collector."""
    for name in app.jinja_env.list_templates():
        app.jinja_env.get_template(name)
    garbage.spare_what_is_there()


def warm_meanwhile(app: Flask) -> None:
    """Do so in a thread beside the first requests: the start waits for it no longer than they do."""
    Thread(target=warm, args=(app,), name="warming", daemon=True).start()
