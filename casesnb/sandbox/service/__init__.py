"""The simulated service: what is asked, and what it answers from a world."""
