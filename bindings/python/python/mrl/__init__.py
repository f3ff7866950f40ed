"""Matryoshka embeddings: search them by short prefixes, exactly or nearly, and see what each length is worth."""

from mrl._mrl import Index, Point, Tuning, __version__, probe

__all__ = ["Index", "Point", "Tuning", "__version__", "probe"]
