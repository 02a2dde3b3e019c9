"""What is made for a cluster."""
