"""Alarms: something is wrong with the centre itself."""
