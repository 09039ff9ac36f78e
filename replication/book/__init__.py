"""What the book's pages show: figures, widgets, decisions."""
