"""What each camera's days came to: coverage by month, and the daily signed statement of each commune."""
