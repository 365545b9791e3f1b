"""What French law requires, as pure functions. Standard library only."""
