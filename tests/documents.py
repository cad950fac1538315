"""The documents and the blocks in them that people paste."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
FENCED = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: *text* as it is pasted, *language* such as ``sh``; *document* is relative to the checkout."""

    document: str
    language: str
    text: str


def blocks(document: str, language: str = "sh") -> list[Block]:
    """Return the blocks of *language* in *document*, a path relative to the checkout, in order."""
    found = FENCED.finditer((ROOT / document).read_text())
    return [Block(document, one["language"], one["text"]) for one in found if one["language"] == language]


def block_with(document: str, words: str, language: str = "sh") -> str:
    """Return the text of the only block of *document* that holds *words*."""
    [found] = [block.text for block in blocks(document, language) if words in block.text]
    return found
