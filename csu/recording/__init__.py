"""What the recorder keeps, what keeps it from destroying, and what persons decide about that."""
