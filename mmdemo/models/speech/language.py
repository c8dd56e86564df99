"""What is said of speech, and of words, in a language that the text tower does not know, and of no speech."""

from __future__ import annotations

from mmdemo.models.languages import language_of

TEXTS_IN = "en"  # what MiniLM, the text tower of every recogniser, was trained on
NO_SPEECH = "No speech was found: what is said, or spoken about, cannot be told."


def language_note(language: str) -> str:
    """What does not work of a recording in a language, as ISO 639-1; empty where all does."""
    if language in ("", TEXTS_IN):
        return ""
    return (
        f"This is spoken in the language “{language}”, and the text model knows English only: what it is "
        "about will not be found. Search for words that are said in it."
    )


def query_note(text: str) -> str:
    """What does not work with words that seem to be in another language; empty where all does."""
    language = language_of(text)
    return (
        f"This looks {language}, and the text model knows English only: what recordings are about is not "
        "found by it, only recordings in which it is said."
        if language
        else ""
    )
