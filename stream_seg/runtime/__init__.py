"""The live shell: runs the steps of one partition against servers, whichever adapters they are."""
