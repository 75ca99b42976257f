"""Benchmarks: `kernels` (one pass), `training` (150 steps), `startup` (imports and first calls)."""
