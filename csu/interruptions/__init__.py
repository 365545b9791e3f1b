"""Announced interruptions: planned work on a camera, and masking."""
