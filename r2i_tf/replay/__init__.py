"""What is kept of the experience, and how a checkpoint holds it."""
