"""What became of each site: finished runs, failures, requests to try again, progress, status."""
