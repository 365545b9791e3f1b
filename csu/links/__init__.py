"""Background tasks: the ways to recorder and gateway, and the alarms."""
