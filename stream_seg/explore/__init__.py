"""Explore and decide: from raw data to a segmentation worth running. An extra; no worker imports it."""
