"""Which passwords are guessed first."""

from __future__ import annotations

import pytest

from console.core.guessing import is_guessable

NAMES = ("ada", "ada@example.com", "Ada Lovelace", "acme", "Acme Tickets")


@pytest.mark.parametrize(
    "password",
    [
        "password1234",
        "P@ssw0rd2026!",
        "Passw0rd!!!!!",
        "passwordpassword",
        "123456789012",
        "qwertyuiop123",
        "abcdefghijkl",
        "aaaaaaaaaaaaaaaa",
        "abababababab",
        "Welcome-2026!",
        "AcmeTickets2026",
        "ada.lovelace.1",
        "hookyard-admin-99",
        "Summer2026Summer",
    ],
)
def test_common_words_rows_and_names_are_guessed(password: str) -> None:
    assert is_guessable(password, names=NAMES)


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery",
        "another long password",
        "k7#Vq9-zt4Lm",
        "пароль из четырёх слов",
        "acme river lantern moss",
    ],
)
def test_words_that_have_nothing_to_do_with_each_other_are_not(password: str) -> None:
    assert not is_guessable(password, names=NAMES)


def test_a_name_counts_only_for_its_owner() -> None:
    assert is_guessable("lovelace-2026", names=NAMES)
    assert not is_guessable("lovelace-2026")
