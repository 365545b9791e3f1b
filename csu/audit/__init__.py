"""The journal of operations (CSI R.253-5): see JOURNAL.md."""
