"""k-means against other ways to find groups, on the same table: what they agree on, and what can be served."""
