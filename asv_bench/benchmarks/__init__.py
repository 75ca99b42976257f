"""Benchmarks: `kernels` (one pass), `training` (150 steps), `startup` (imports, first calls), and races of whole fits.

Those are `fit`, `path` (100 fits along C) and `cross_validation`.
"""
