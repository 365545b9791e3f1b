"""Our own RTSP client: a sans-I/O core, and one thin asyncio shell around it (`client.py`)."""
