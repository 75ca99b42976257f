"""Worked examples, a page each: ``python -m fastlr.examples.search`` runs one and leaves its figure in the folder."""
