"""Rows of a manifest."""

import csv


def rows_of(manifest):
    with manifest.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
