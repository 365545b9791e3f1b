"""From a packet to disk and back: segments, index, deadlines, playback."""
