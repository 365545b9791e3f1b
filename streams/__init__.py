"""From a camera to encoded packets placed on the clock: RTSP, timeline, fragmented MP4."""
