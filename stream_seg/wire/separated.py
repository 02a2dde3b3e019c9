"""What the line of column names tells about a file: that it is divided by something else, or written in UTF-16."""

from __future__ import annotations

from collections.abc import Sequence

DELIMITERS = {",": "','", "\t": "a tab", ";": "';'", "|": "'|'"}
_UTF_16 = ("\udcff\udcfe", "\udcfe\udcff")  # byte order marks, read as UTF-8 with surrogates for what is none


def mistake(names: Sequence[str], delimiter: str) -> str | None:
    r"""What is wrong with all columns at once, and how to mend it. None: nothing.

    >>> mistake(["who;at;paid"], ",")
    "the columns are divided by ';', not ','; write it with ','"
    >>> mistake(["who\tat"], ","), mistake(["who"], ",")
    ("the columns are divided by a tab, not ','; name it .tsv", None)
    """
    if names and names[0].startswith(_UTF_16):
        return "the file is UTF-16, write it as UTF-8 (iconv -f UTF-16 -t UTF-8)"
    if len(names) != 1:
        return None
    found = max((one for one in DELIMITERS if one != delimiter), key=names[0].count)
    if found not in names[0]:
        return None
    remedy = "name it .tsv" if found == "\t" else f"write it with {DELIMITERS[delimiter]}"
    return f"the columns are divided by {DELIMITERS[found]}, not {DELIMITERS[delimiter]}; {remedy}"
