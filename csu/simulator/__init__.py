"""Simulated cameras: an RTSP server of H.264 loops locked to UTC, with faults on demand."""
