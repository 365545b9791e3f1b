"""Cameras as persons see them: inventory, states, timeline, tickets."""
