"""Benchmarks: `kernels` (one pass), `training` (150 steps), `fit` (whole fits), `startup` (imports, first calls)."""
