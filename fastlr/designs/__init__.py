"""X and its passes: which kernel, in which buffers, by how many threads; a file for each kind of X."""
