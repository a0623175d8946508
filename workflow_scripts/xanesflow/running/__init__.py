"""How a job runs: locks, time limits, processes that end with their parent."""
