"""Files of word vectors as gensim, GloVe, fastText and word2vec.c keep them, in and out.

=======================  ============================================================  =====  =======
format                   what it is                                                    read   written
=======================  ============================================================  =====  =======
`word2vec-text`          "n d" on line 1, then a word and d numbers a line (`.vec`)    yes    yes
`word2vec-binary`        "n d" on line 1, then a word, a space, d float32 (`.bin`)     yes    yes
`glove`                  a word and d numbers a line, nothing before                   yes    yes
`gensim-keyed-vectors`   a pickle by gensim's `KeyedVectors.save`, `.npy` beside it    yes    no
`vecinity-model`         the folder of a word2vec model of our own                     yes    no
=======================  ============================================================  =====  =======

The first three may be gzip. Read in this order: `detect` (which format a file is of), `reading`, `writing`; then
`text`, `binary` and `keyed_vectors`, one file a format, over `stream`, `header` and `rows`.
"""

from vecinity.indexer.formats.detect import Format, detect_format, holds_vectors
from vecinity.indexer.formats.reading import read_word_vectors
from vecinity.indexer.formats.writing import format_of_name, write_word_vectors

__all__ = ["Format", "detect_format", "format_of_name", "holds_vectors", "read_word_vectors", "write_word_vectors"]
