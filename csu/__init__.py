"""The supervision centre: control plane, gateway, simulator, command line and their wiring."""
