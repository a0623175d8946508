"""How a job runs: locks, time limits, and processes that end with their parent."""
