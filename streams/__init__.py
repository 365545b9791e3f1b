"""From a camera to a packet: RTSP, RTP, H.264, time and fragmented MP4."""
