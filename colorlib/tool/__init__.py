"""The tool: weights on disk and by name, and photographs in colour."""
