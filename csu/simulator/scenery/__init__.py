"""Draws the twelve streets that the simulated cameras look at."""

from csu.simulator.scenery.scene import Dumping, Scene, dumping

__all__ = ["Dumping", "Scene", "dumping"]
