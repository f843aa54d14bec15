"""Typed attributes of items: their schema, how values are read from sources, how they are stored.

============  ==============================  ==========================================  =======================
type          in CSV and TSV                  in JSON Lines and Parquet                   in Python
============  ==============================  ==========================================  =======================
bool          true, false, 1, 0               bool                                        bool
int64         digits with a sign or without   a whole number of 64 bits                   int
double        a number, nan, inf              a number                                    float
string        the text                        a string                                    str
timestamp     2024-05-31T12:00:00Z, a date    the same; Parquet's timestamps and dates    datetime, UTC
string-list   values with ; between, or JSON  an array of strings                         tuple of str
============  ==============================  ==========================================  =======================

A timestamp without a zone is one of UTC; all are kept to the microsecond. An empty cell, a null and a field that is
absent are all the same: the item lacks the attribute.
"""

from vecinity.indexer.attributes.schema import (
    ATTRIBUTES_MAX,
    Attribute,
    AttributeType,
    Value,
    arrow_schema,
    parse_attributes,
)
from vecinity.indexer.attributes.values import read_value

__all__ = [
    "ATTRIBUTES_MAX",
    "Attribute",
    "AttributeType",
    "Value",
    "arrow_schema",
    "parse_attributes",
    "read_value",
]
