"""What all tests share: property tests draw the same examples each time, so that a red run can be repeated."""

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, database=None)
settings.load_profile("repeatable")
