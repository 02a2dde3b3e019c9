"""The report of ``stream-seg explore``: one module a section, each of them sentences, pictures and their figures."""
