"""The audit: what is in a file before anybody counts on it. Streamed through DuckDB, which spills instead of "
"growing.
"""
