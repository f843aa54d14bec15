"""Which index is best for these rows on this machine: measured, not guessed.

    first candidates of each family → settings of the families that do well → the best few on more rows

Each candidate is built on a sample of the rows, brought to the target recall on held-out rows with the cheapest effort
that does, and timed there, alone and in batches; `extrapolation` tells from that what it will cost over all rows, and
`memory` how large it will be. The best under the user's limits is built in full.

The candidates depend on the data and the seed alone. The winner depends on times measured, so that it may differ from
one run to the next where two candidates are about as good.
"""

from vecinity.indexer.tournament.candidates import Fixed
from vecinity.indexer.tournament.choosing import Limits, fallbacks, in_units
from vecinity.indexer.tournament.contest import run_tournament
from vecinity.indexer.tournament.memory import index_bytes
from vecinity.indexer.tournament.report import Entry, TournamentReport

__all__ = ["Entry", "Fixed", "Limits", "TournamentReport", "fallbacks", "in_units", "index_bytes", "run_tournament"]
