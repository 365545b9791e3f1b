"""A camera that nobody here wrote: Debian's gst-rtsp-server serves one H.264 file in real time.

Run by the system's Python, which has the GObject bindings: `/usr/bin/python3 gst_server.py FILE.mp4`. It prints its
port, then serves rtsp://127.0.0.1:PORT/real until it is ended. Each new session starts the file anew.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402 - of the versions named above


def main(file: str) -> None:
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service("0")
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(
        f"( filesrc location={file} ! qtdemux ! h264parse ! rtph264pay name=pay0 pt=96 config-interval=-1 )"
    )
    server.get_mount_points().add_factory("/real", factory)
    server.attach(None)
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main(sys.argv[1])
