"""Holds: recordings that a requisition keeps beyond their deadline."""
