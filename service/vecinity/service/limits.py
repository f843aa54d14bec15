"""The limits on what one request may ask."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Each is the largest value allowed; `vecinity.service.config.Config` has the defaults.

    Attributes:
        k_max: Hits for one query.
        batch_max: Queries, or pairs, or terms of an analogy, in one call.
        hits_max: Queries × k in one call.
        texts_max: Texts to embed in one call.
        text_chars_max: Characters in one text or id.
    """

    k_max: int
    batch_max: int
    hits_max: int
    texts_max: int
    text_chars_max: int
