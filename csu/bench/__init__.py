"""Measures our processes against their peers, in the same run on the same machine."""
