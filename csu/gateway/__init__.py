"""The gateway: pictures to browsers, live and recorded, against tickets of the control plane."""
