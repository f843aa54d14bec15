"""The limits on what one request may ask."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Each is the largest value allowed; the defaults are those of `vecinity.service.config.Config`.

    Attributes:
        k_max: Hits for one query.
        batch_max: Queries, or pairs, or terms of an analogy, in one call.
        hits_max: Queries × k in one call.
        texts_max: Texts to embed in one call.
        text_chars_max: Characters in one text or id.
        page_max: Collections in one page.
    """

    k_max: int = 10_000
    batch_max: int = 10_000
    hits_max: int = 1_000_000
    texts_max: int = 1_000
    text_chars_max: int = 32_768
    page_max: int = 1_000
