"""Sub-commands of `csu`: each parses its options, calls one service and prints."""
